"""The shape of a base of the llama family, as a GGUF states it: its figures, and its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gguf import GGUFWriter

Size = tuple[int, ...]  # of a matrix: rows, columns; of a norm: its width


@dataclass(frozen=True)
class Shape:
    """The figures of a model."""

    architecture: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int = 0  # 0 = that of the tokenizer
    head_norms: bool = False  # q and k are normalised head by head
    tied: bool = False  # embeddings are the output layer, too
    context_tokens: int = 4096
    rope_base: float = 1e6


def write_figures(writer: GGUFWriter, shape: Shape) -> None:
    """Write what a loader asks of a shape; the vocabulary is written apart."""
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-5)


def tensor_sizes(shape: Shape) -> dict[str, Size]:
    """Every tensor with its size: the matrices, then the norms."""
    return {**dict(_matrices(shape)), **dict(_norms(shape))}


def _matrices(shape: Shape) -> Iterator[tuple[str, Size]]:
    yield "token_embd.weight", (shape.vocabulary, shape.width)
    if not shape.tied:
        yield "output.weight", (shape.vocabulary, shape.width)
    q, kv = (heads * shape.head_width for heads in (shape.heads, shape.kv_heads))
    of_layer = {
        "attn_q": (q, shape.width),
        "attn_k": (kv, shape.width),
        "attn_v": (kv, shape.width),
        "attn_output": (shape.width, q),
        "ffn_gate": (shape.feed_forward, shape.width),
        "ffn_up": (shape.feed_forward, shape.width),
        "ffn_down": (shape.width, shape.feed_forward),
    }
    for layer in range(shape.layers):
        for name, size in of_layer.items():
            yield f"blk.{layer}.{name}.weight", size


def _norms(shape: Shape) -> Iterator[tuple[str, Size]]:
    yield "output_norm.weight", (shape.width,)
    for layer in range(shape.layers):
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", (shape.width,)
        for name in ("attn_q_norm", "attn_k_norm") if shape.head_norms else ():
            yield f"blk.{layer}.{name}.weight", (shape.head_width,)
