"""Tiny random GGUFs of several architectures, and the LoRA adapters that go with them.

Two layers of width 64 over a byte vocabulary with the ChatML control tokens: real enough for
llama.cpp and for transformers, small enough to be written and loaded in milliseconds. Head sizes,
fused weights, biases and further norms differ between the architectures as they do in real models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter, TokenType
from safetensors.numpy import save_file

from benchmarks.gguf_shape import Shape, write_figures

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


@dataclass(frozen=True)
class Architecture:
    """What sets a tiny model of this GGUF architecture apart."""

    name: str
    head_width: int = WIDTH // HEADS
    qkv_bias: bool = False
    head_norms: bool = False  # q and k are normalised head by head
    post_norms: bool = False  # attention and feed-forward are normalised once more
    fused: bool = False  # q, k, v are one weight; so are gate and up
    experts: int = 0  # 0 = a dense feed-forward network
    window_tokens: int = 0  # sliding window of the first layer; 0 = all layers see everything


ARCHITECTURES = {
    shape.name: shape
    for shape in (
        Architecture("llama"),
        Architecture("qwen2", qkv_bias=True),
        Architecture("qwen3", head_width=32, head_norms=True),
        Architecture("gemma3", head_width=24, head_norms=True, post_norms=True, window_tokens=16),
        Architecture("phi3", fused=True),
        Architecture("qwen3moe", head_width=32, head_norms=True, experts=4),
    )
}


def linears(architecture: str = "llama") -> tuple[Linear, ...]:
    """The weights of a layer that adapters may adapt."""
    shape = ARCHITECTURES[architecture]
    return _attention(shape) + _feed_forward(shape)


def _attention(shape: Architecture) -> tuple[Linear, ...]:
    q, kv = shape.head_width * HEADS, shape.head_width * KV_HEADS
    output = Linear("self_attn.o_proj", "attn_output", WIDTH, q)
    if shape.fused:
        return (Linear("self_attn.qkv_proj", "attn_qkv", q + 2 * kv, WIDTH), output)
    return (
        Linear("self_attn.q_proj", "attn_q", q, WIDTH),
        Linear("self_attn.k_proj", "attn_k", kv, WIDTH),
        Linear("self_attn.v_proj", "attn_v", kv, WIDTH),
        output,
    )


def _feed_forward(shape: Architecture) -> tuple[Linear, ...]:
    down = Linear("mlp.down_proj", "ffn_down", WIDTH, FEED_FORWARD)
    if shape.experts:
        return ()
    if shape.fused:
        return (Linear("mlp.gate_up_proj", "ffn_up", 2 * FEED_FORWARD, WIDTH), down)
    return (
        Linear("mlp.gate_proj", "ffn_gate", FEED_FORWARD, WIDTH),
        Linear("mlp.up_proj", "ffn_up", FEED_FORWARD, WIDTH),
        down,
    )


LINEARS = linears()


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins for bytes that byte-level BPE vocabularies use."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    of_byte = {byte: chr(byte) for byte in printable}
    of_byte |= {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [of_byte[byte] for byte in range(256)]


def write_model(
    path: Path,
    seed: int = 0,
    architecture: str = "llama",
    *,
    change: Callable[[GGUFWriter], None] = lambda _: None,
    more_tensors: Mapping[str, npt.NDArray[np.float32]] | None = None,
) -> Path:
    """Write the model and return its path; `change` may overwrite metadata."""
    shape = ARCHITECTURES[architecture]
    writer = GGUFWriter(path, architecture)
    _write_shape(writer, shape)
    write_vocab(writer)
    change(writer)
    generator = np.random.default_rng(seed)
    for name, size in _tensor_shapes(shape).items():
        noise = generator.normal(0, 0.12, size).astype(np.float32)
        writer.add_tensor(name, noise + np.float32(_centre(name)))
    for name, values in (more_tensors or {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _centre(name: str) -> float:
    if not name.endswith("norm.weight"):
        return 0.0
    # Gemma multiplies embeddings by √width: layers must speak up, or each token predicts itself.
    return 3.0 if ".post_" in name else 1.0


def _write_shape(writer: GGUFWriter, shape: Architecture) -> None:
    figures = Shape(shape.name, LAYERS, WIDTH, HEADS, KV_HEADS, shape.head_width, FEED_FORWARD)
    write_figures(writer, replace(figures, context_tokens=CONTEXT_TOKENS, rope_base=10000.0))
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(0)
    if shape.window_tokens:
        writer.add_sliding_window(shape.window_tokens)
        writer.add_sliding_window_pattern([layer == 0 for layer in range(LAYERS)])
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.experts // 2)
        writer.add_expert_feed_forward_length(FEED_FORWARD)


def write_vocab(writer: GGUFWriter) -> None:
    """Write the byte vocabulary with its control tokens."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    name_tokens(writer, dict.fromkeys(CONTROLS, TokenType.CONTROL))
    writer.add_token_merges([" ".join(MERGED)])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_eot_token_id(2)
    writer.add_add_bos_token(False)


def name_tokens(writer: GGUFWriter, special: Mapping[str, TokenType]) -> None:
    """Write a vocabulary of `special` tokens, then bytes; at most four fit the weights.

    With fewer than the usual three, the last are filled with unused ones.
    """
    first = [*special, *(f"<unused {i}>" for i in range(len(special), len(CONTROLS)))]
    tokens = [*first, *byte_alphabet(), MERGED][:VOCABULARY]
    kinds = [special.get(token, TokenType.UNUSED) for token in first] + [TokenType.NORMAL] * 257
    writer.add_token_list(tokens)
    writer.add_token_types(kinds[:VOCABULARY])


def speak_sentencepiece(writer: GGUFWriter) -> None:
    """Write a SentencePiece vocabulary in place of the byte-level one: bytes, and a space."""
    special = {"<unk>": TokenType.UNKNOWN, "<s>": TokenType.CONTROL, "</s>": TokenType.CONTROL}
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    kinds = [*special.values(), *[TokenType.BYTE] * 256, TokenType.NORMAL]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_types(kinds)
    writer.add_token_scores([0.0] * len(pieces))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(True)


def _tensor_shapes(shape: Architecture) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (VOCABULARY, WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}": size for name, size in _layer_shapes(shape).items()}
    return shapes


def _layer_shapes(shape: Architecture) -> dict[str, tuple[int, ...]]:
    norms = ["attn_norm", "ffn_norm"]
    norms += ["post_attention_norm", "post_ffw_norm"] if shape.post_norms else []
    shapes: dict[str, tuple[int, ...]] = {f"{norm}.weight": (WIDTH,) for norm in norms}
    if shape.head_norms:
        shapes |= {f"attn_{side}_norm.weight": (shape.head_width,) for side in "qk"}
    for linear in linears(shape.name):
        shapes[f"{linear.gguf}.weight"] = (linear.rows, linear.columns)
        if shape.qkv_bias and linear.gguf in ("attn_q", "attn_k", "attn_v"):
            shapes[f"{linear.gguf}.bias"] = (linear.rows,)
    return shapes | (_expert_shapes(shape.experts) if shape.experts else {})


def _expert_shapes(experts: int) -> dict[str, tuple[int, ...]]:
    return {
        "ffn_gate_inp.weight": (experts, WIDTH),
        "ffn_gate_exps.weight": (experts, FEED_FORWARD, WIDTH),
        "ffn_up_exps.weight": (experts, FEED_FORWARD, WIDTH),
        "ffn_down_exps.weight": (experts, WIDTH, FEED_FORWARD),
    }


def write_adapter(
    folder: Path,
    seed: int,
    rank: int = RANK,
    size: float = 0.3,
    architecture: str = "llama",
    strength: float = 1,
) -> Path:
    """Write a random PEFT LoRA over all linears; `size` is the spread of its B matrices.

    `strength` multiplies the scale under which it is applied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for layer in range(LAYERS):
        for linear in linears(architecture):
            stem = f"base_model.model.model.layers.{layer}.{linear.peft}"
            a = generator.normal(0, 0.3, (rank, linear.columns)).astype(np.float32)
            b = generator.normal(0, size, (linear.rows, rank)).astype(np.float32)
            tensors[f"{stem}.lora_A.weight"] = a
            tensors[f"{stem}.lora_B.weight"] = b
    save_file(tensors, folder / "adapter_model.safetensors")
    config = adapter_config(rank, architecture, strength)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def adapter_config(
    rank: int, architecture: str = "llama", strength: float = 1
) -> dict[str, object]:
    """What PEFT writes beside such an adapter."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "",
        "r": rank,
        "lora_alpha": 2 * rank * strength,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({x.peft.split(".")[-1] for x in linears(architecture)}),
    }
