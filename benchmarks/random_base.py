"""Bases of random weights in the shapes of real ones: what size costs, without anybody's weights.

    python -m benchmarks.random_base llama-1.1b out.gguf [--quantization q4_mix]

What a step costs does not depend on what weights say. So blocks are drawn as a quantizer stores
them: random codes under one scale, in bytes that decode to about the spread that keeps a signal as
it is. The vocabulary is that of another file, filled up with tokens that no text has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
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
from benchmarks.gguf_shape import Shape, Size, tensor_sizes, write_figures
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.base_models.quantization import Quantization
from npc_server.base_models.requantize import TENSOR_TYPES
from npc_server.base_models.resolution import ModelPlaces, resolve

Bytes = npt.NDArray[np.uint8]

SHAPES: Mapping[str, Shape] = {
    "llama-1.1b": Shape("llama", 22, 2048, 32, 4, 64, 5632),
    "qwen3-0.6b": Shape("qwen3", 28, 1024, 16, 8, 128, 3072, 151_936, head_norms=True, tied=True),
}


def write_base(path: Path, shape: Shape, quantization: Quantization, tokenizer: Path) -> Path:
    """Write a base with the vocabulary of the GGUF `tokenizer`; the same bytes each time."""
    writer = GGUFWriter(path, shape.architecture)
    write_figures(writer, shape)
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_0)
    vocabulary = _copy_vocabulary(writer, GGUFReader(tokenizer), shape.vocabulary)
    draw = np.random.default_rng(0)
    for name, size in tensor_sizes(replace(shape, vocabulary=vocabulary)).items():
        if len(size) == 1:
            writer.add_tensor(name, np.ones(size, np.float32))
            continue
        kind = TENSOR_TYPES[quantization].of(name, shape.layers)
        blocks = random_blocks(kind, size, draw)
        writer.add_tensor(name, blocks, raw_dtype=GGMLQuantizationType[kind])
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
