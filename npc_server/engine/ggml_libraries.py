"""ggml's own shared libraries: llama-cpp-python ships them and binds little of them."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp

_FOLDER = Path(llama_cpp.__file__).parent / "lib"


def open_base() -> ctypes.CDLL:
    """Open the library of tensors, buffers and what a device says of itself. Raises OSError."""
    return _open("ggml-base")


def open_registry() -> ctypes.CDLL:
    """Open the library that knows which devices there are. Raises OSError."""
    return _open("ggml")


def _open(stem: str) -> ctypes.CDLL:
    for name in (f"lib{stem}.so", f"lib{stem}.dylib", f"{stem}.dll"):
        if (_FOLDER / name).is_file():
            return ctypes.CDLL(str(_FOLDER / name))
    raise OSError(f"no {stem} library in {_FOLDER}")
