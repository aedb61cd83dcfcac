"""GGUFs with the widths of real models and no content: what llama.cpp allocates depends on no more.

The weights are a hole in the file, which takes no disk, and read as zeros.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from benchmarks.gguf_shape import Shape, tensor_sizes, write_figures
from tests.support.tiny_gguf import MERGED, byte_alphabet

_ALIGNMENT = 32
_LLAMA = Shape("llama", 4, 2048, 32, 4, 64, 5632, 32000, tied=True, context_tokens=8192)
#: By architecture: the widths of a base of 1.1B with four layers, 16 bits a weight.
SIZED = {"llama": _LLAMA, "qwen3": replace(_LLAMA, architecture="qwen3", head_norms=True)}


def write_sized(path: Path, shape: Shape) -> Path:
    """Write the file and return its path."""
    writer = GGUFWriter(path, shape.architecture)
    write_figures(writer, shape)
    _write_vocabulary(writer, shape.vocabulary)
    weights_bytes = 0
    for name, size in tensor_sizes(shape).items():
        kind = np.dtype(np.float32 if len(size) == 1 else np.float16)
        taken = int(np.prod(size)) * kind.itemsize
        writer.add_tensor_info(name, size, kind, taken)
        weights_bytes += -(-taken // _ALIGNMENT) * _ALIGNMENT
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = -(-path.stat().st_size // _ALIGNMENT) * _ALIGNMENT
    os.truncate(path, header + weights_bytes)
    return path


def _write_vocabulary(writer: GGUFWriter, size: int) -> None:
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *byte_alphabet(), MERGED]
    tokens += [f"<unused {i}>" for i in range(len(tokens), size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * size)
    writer.add_token_merges([" ".join(MERGED)])
