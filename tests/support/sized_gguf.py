"""GGUFs with the widths of real models and no content: what llama.cpp allocates depends on no more.

The weights are a hole in the file, which takes no disk, and read as zeros.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from tests.support.tiny_gguf import MERGED, byte_alphabet

_ALIGNMENT = 32
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """The widths of a base of the llama family, 16 bits a weight."""

    architecture: str = "llama"
    layers: int = 4
    width: int = 2048
    feed_forward: int = 5632
    heads: int = 32
    kv_heads: int = 4
    head_width: int = 64
    vocabulary: int = 32000


def write_sized(path: Path, sizes: Sizes) -> Path:
    """Write the file and return its path."""
    writer = GGUFWriter(path, sizes.architecture)
    _write_metadata(writer, sizes)
    size = 0
    for name, shape in _shapes(sizes).items():
        kind = np.dtype(np.float32 if name.endswith("norm.weight") else np.float16)
        taken = int(np.prod(shape)) * kind.itemsize
        writer.add_tensor_info(name, shape, kind, taken)
        size += -(-taken // _ALIGNMENT) * _ALIGNMENT
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = -(-path.stat().st_size // _ALIGNMENT) * _ALIGNMENT
    os.truncate(path, header + size)
    return path


def _write_metadata(writer: GGUFWriter, sizes: Sizes) -> None:
    writer.add_context_length(8192)
    writer.add_embedding_length(sizes.width)
    writer.add_block_count(sizes.layers)
    writer.add_feed_forward_length(sizes.feed_forward)
    writer.add_head_count(sizes.heads)
    writer.add_head_count_kv(sizes.kv_heads)
    writer.add_key_length(sizes.head_width)
    writer.add_value_length(sizes.head_width)
    writer.add_rope_dimension_count(sizes.head_width)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *byte_alphabet(), MERGED]
    tokens += [f"<unused {i}>" for i in range(len(tokens), sizes.vocabulary)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * sizes.vocabulary)
    writer.add_token_merges([" ".join(MERGED)])


def _shapes(sizes: Sizes) -> dict[str, Shape]:
    table = {
        "token_embd.weight": (sizes.vocabulary, sizes.width),
        "output_norm.weight": (sizes.width,),
    }
    layers = {
        f"blk.{layer}.{name}.weight": shape
        for layer in range(sizes.layers)
        for name, shape in _layer(sizes).items()
    }
    return table | layers


def _layer(sizes: Sizes) -> dict[str, Shape]:
    q, kv = sizes.heads * sizes.head_width, sizes.kv_heads * sizes.head_width
    shapes: dict[str, Shape] = {"attn_norm": (sizes.width,), "ffn_norm": (sizes.width,)}
    if sizes.architecture == "qwen3":
        shapes |= {"attn_q_norm": (sizes.head_width,), "attn_k_norm": (sizes.head_width,)}
    return shapes | {
        "attn_q": (q, sizes.width),
        "attn_k": (kv, sizes.width),
        "attn_v": (kv, sizes.width),
        "attn_output": (sizes.width, q),
        "ffn_gate": (sizes.feed_forward, sizes.width),
        "ffn_up": (sizes.feed_forward, sizes.width),
        "ffn_down": (sizes.width, sizes.feed_forward),
    }
