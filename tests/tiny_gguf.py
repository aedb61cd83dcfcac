"""A tiny random llama-architecture GGUF, and the LoRA adapters and PEFT models that go with it.

Two layers of width 64 over a byte vocabulary with the ChatML control tokens: real enough for
llama.cpp and for transformers, small enough to be written and loaded in milliseconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter, TokenType
from safetensors.numpy import save_file

LAYERS = 2
WIDTH = 64
HEADS = 4
KV_HEADS = 2
FEED_FORWARD = 96
CONTEXT_TOKENS = 512
CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VOCABULARY = 256 + len(CONTROLS) + 1
MERGED = "Ġt"  # the one merge: the format wants at least one
RANK = 4


@dataclass(frozen=True)
class Linear:
    """One adapted weight: names on both sides, and its shape."""

    peft: str
    gguf: str
    rows: int
    columns: int


_KV_WIDTH = WIDTH // HEADS * KV_HEADS
LINEARS = (
    Linear("self_attn.q_proj", "attn_q", WIDTH, WIDTH),
    Linear("self_attn.k_proj", "attn_k", _KV_WIDTH, WIDTH),
    Linear("self_attn.v_proj", "attn_v", _KV_WIDTH, WIDTH),
    Linear("self_attn.o_proj", "attn_output", WIDTH, WIDTH),
    Linear("mlp.gate_proj", "ffn_gate", FEED_FORWARD, WIDTH),
    Linear("mlp.up_proj", "ffn_up", FEED_FORWARD, WIDTH),
    Linear("mlp.down_proj", "ffn_down", WIDTH, FEED_FORWARD),
)


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins for bytes that byte-level BPE vocabularies use."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    of_byte = {byte: chr(byte) for byte in printable}
    of_byte |= {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [of_byte[byte] for byte in range(256)]


def write_model(path: Path, seed: int = 0) -> Path:
    """Write the model and return its path."""
    writer = GGUFWriter(path, "llama")
    _write_shape(writer)
    _write_vocab(writer)
    generator = np.random.default_rng(seed)
    for name, shape in _tensor_shapes().items():
        scale = 1.0 if name.endswith("norm.weight") else 0.0
        noise = generator.normal(0, 0.12, shape).astype(np.float32)
        writer.add_tensor(name, noise + np.float32(scale))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_shape(writer: GGUFWriter) -> None:
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(0)


def _write_vocab(writer: GGUFWriter) -> None:
    tokens = [*CONTROLS, *byte_alphabet(), MERGED]
    kinds = [TokenType.CONTROL] * len(CONTROLS) + [TokenType.NORMAL] * 257
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(MERGED)])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_eot_token_id(2)
    writer.add_add_bos_token(False)


def _tensor_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (VOCABULARY, WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            shapes[f"blk.{layer}.{norm}.weight"] = (WIDTH,)
        for linear in LINEARS:
            shapes[f"blk.{layer}.{linear.gguf}.weight"] = (linear.rows, linear.columns)
    return shapes


def write_adapter(folder: Path, seed: int, rank: int = RANK, size: float = 0.3) -> Path:
    """Write a random PEFT LoRA over all linears; `size` is the spread of its B matrices."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for layer in range(LAYERS):
        for linear in LINEARS:
            stem = f"base_model.model.model.layers.{layer}.{linear.peft}"
            a = generator.normal(0, 0.3, (rank, linear.columns)).astype(np.float32)
            b = generator.normal(0, size, (linear.rows, rank)).astype(np.float32)
            tensors[f"{stem}.lora_A.weight"] = a
            tensors[f"{stem}.lora_B.weight"] = b
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(adapter_config(rank)))
    return folder


def adapter_config(rank: int) -> dict[str, object]:
    """What PEFT writes beside such an adapter."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "",
        "r": rank,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({linear.peft.split(".")[-1] for linear in LINEARS}),
    }
