"""Bases of random weights in the shapes of real ones: what size costs, without anybody's weights.

    python -m benchmarks.random_base llama-1.1b out.gguf [--quantization q4_mix]

What a step costs does not depend on what weights say. So blocks are drawn as a quantizer stores
them: random codes under one scale, in bytes that decode to about the spread that keeps a signal as
it is. The vocabulary is that of another file, filled up with tokens that no text has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import typer
from gguf import (
    GGMLQuantizationType,
    GGUFReader,
    GGUFValueType,
    GGUFWriter,
    LlamaFileType,
    TokenType,
)

from benchmarks import options
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.base_models.quantization import Quantization
from npc_server.base_models.requantize import TENSOR_TYPES
from npc_server.base_models.resolution import ModelPlaces, resolve

Bytes = npt.NDArray[np.uint8]
Size = tuple[int, int]  # rows, columns


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


SHAPES: Mapping[str, Shape] = {
    "llama-1.1b": Shape("llama", 22, 2048, 32, 4, 64, 5632),
    "qwen3-0.6b": Shape("qwen3", 28, 1024, 16, 8, 128, 3072, 151_936, head_norms=True, tied=True),
}


def write_base(path: Path, shape: Shape, quantization: Quantization, tokenizer: Path) -> Path:
    """Write a base with the vocabulary of the GGUF `tokenizer`; the same bytes each time."""
    writer = GGUFWriter(path, shape.architecture)
    _write_shape(writer, shape)
    vocabulary = _copy_vocabulary(writer, GGUFReader(tokenizer), shape.vocabulary)
    draw = np.random.default_rng(0)
    for name, size in _matrices(shape, vocabulary):
        kind = TENSOR_TYPES[quantization].of(name, shape.layers)
        blocks = random_blocks(kind, size, draw)
        writer.add_tensor(name, blocks, raw_dtype=GGMLQuantizationType[kind])
    for name, width in _norms(shape):
        writer.add_tensor(name, np.ones(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_blocks(kind: str, size: Size, draw: np.random.Generator) -> Bytes:
    """A matrix with a spread of one over the root of its columns, as a quantizer stores it."""
    rows, columns = size
    elements, header, codes = _BLOCKS[kind]
    blocks = draw.integers(0, 256, (rows, columns // elements, codes), np.uint8)
    if kind == "Q4_0":
        blocks = _BALANCED[blocks]
    top = np.frombuffer(header(columns**-0.5), np.uint8)
    headed = np.broadcast_to(top, (*blocks.shape[:2], len(top)))
    return np.concatenate([headed, blocks], axis=2).reshape(rows, -1)


#: Two codes of Q4_0 a byte. One half of the grid reaches one step farther; without that step the
#: mean is zero, and no direction grows from layer to layer.
_BALANCED = np.array([(b & 15 or 8) | (b >> 4 or 8) << 4 for b in range(256)], np.uint8)


def _q4_0(spread: float) -> bytes:
    return np.float16(spread / np.sqrt(2 * sum(n * n for n in range(8)) / 16)).tobytes()


def _q8_0(spread: float) -> bytes:
    return np.float16(spread / np.sqrt((256**2 - 1) / 12)).tobytes()


def _q4_k(spread: float) -> bytes:
    """One scale for all eight parts of a block, and the offset that puts its codes around zero."""
    scale = spread / np.sqrt((16**2 - 1) / 12) / _PART_SCALE
    parts = bytes(
        [_PART_SCALE | 0x80] * 8 + [0] * 4
    )  # six bits each: four low, two in another byte
    return np.array([scale, 7.5 * scale], np.float16).tobytes() + parts


_PART_SCALE = 32
#: Elements of a block, what it begins with for a spread, and the bytes of codes that follow.
_BLOCKS: Mapping[str, tuple[int, Callable[[float], bytes], int]] = {
    "Q4_0": (32, _q4_0, 16),
    "Q8_0": (32, _q8_0, 32),
    "Q4_K": (256, _q4_k, 128),
}


def _write_shape(writer: GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(4096)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_0)


def _copy_vocabulary(writer: GGUFWriter, source: GGUFReader, wanted: int) -> int:
    """Copy a tokenizer, filled up to `wanted` tokens; return how many there are."""
    tokens, kinds = (list(source.fields[f"tokenizer.ggml.{x}"].contents()) for x in _LISTS)
    missing = range(len(tokens), wanted)
    writer.add_token_list([*tokens, *(f"<unused{i}>" for i in missing)])
    # An unused token is said as nothing, and replies would have fewer words than tokens.
    writer.add_token_types([*kinds, *(TokenType.NORMAL for _ in missing)])
    listed = {f"tokenizer.ggml.{name}" for name in (*_LISTS, "scores")}
    for field in source.fields.values():
        if field.name.startswith("tokenizer.") and field.name not in listed:
            kind, items = field.types[0], field.types[-1]
            of_items = items if kind is GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, of_items)
    return max(len(tokens), wanted)


_LISTS = ("tokens", "token_type")


def _matrices(shape: Shape, vocabulary: int) -> Iterator[tuple[str, Size]]:
    yield "token_embd.weight", (vocabulary, shape.width)
    if not shape.tied:
        yield "output.weight", (vocabulary, shape.width)
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


def _norms(shape: Shape) -> Iterator[tuple[str, int]]:
    yield "output_norm.weight", shape.width
    for layer in range(shape.layers):
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", shape.width
        for name in ("attn_q_norm", "attn_k_norm") if shape.head_norms else ():
            yield f"blk.{layer}.{name}.weight", shape.head_width


def main(
    shape: Annotated[str, typer.Argument(help=f"One of: {', '.join(SHAPES)}.")],
    out: Annotated[Path, typer.Argument(help="The GGUF to write.")],
    quantization: Annotated[Literal["q4_mix", "q4_0"], typer.Option()] = "q4_mix",
    cache: options.Cache = options.CACHE,
) -> None:
    """Write a base of random weights with the vocabulary of the default one."""
    (name,) = options.choose([shape], SHAPES)
    tokenizer = resolve(DEFAULT_MODEL, ModelPlaces(cache))
    write_base(out, SHAPES[name], Quantization(quantization), tokenizer)
    print(f"{out}: {out.stat().st_size >> 20} MiB")


if __name__ == "__main__":
    typer.run(main)
