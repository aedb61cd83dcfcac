"""GGUF files: whether one is a whole language model, and how large a one."""

from __future__ import annotations

from pathlib import Path

from npc_server.base_models.errors import InvalidModelError
from npc_server.base_models.sources import shards
from npc_server.engine.gguf_header import UNREADABLE, HeaderReader, kind_fault

_JOIN = (
    "join its files with llama.cpp's tool (llama-gguf-split --merge FIRST.gguf WHOLE.gguf), or use"
    " a file that is whole"
)


def require_whole(name: str) -> None:
    """Raise InvalidModelError for the name of one file of a model that is split into several."""
    if (count := shards(name)) > 1:
        raise InvalidModelError(f"{name} is one of {count} files of a split model: {_JOIN}")


def require_gguf(path: Path) -> None:
    """Raise InvalidModelError for what is no whole GGUF of a language model."""
    require_whole(path.name)
    try:
        fault = kind_fault(path)
    except OSError as error:  # a folder, say
        raise InvalidModelError(f"{path} cannot be read: {error.strerror}") from error
    if fault:
        raise InvalidModelError(f"{path} {fault}")
    try:
        header = HeaderReader(path)
    except UNREADABLE as error:
        raise InvalidModelError(f"{path} is damaged or cut short: {error}") from error
    _require_model(path, header)


def _require_model(path: Path, header: HeaderReader) -> None:
    if (count := int(header.number("split.count") or 1)) > 1:
        raise InvalidModelError(f"{path} is one of {count} files of a split model: {_JOIN}")
    kind = header.text("general.type") or "model"
    architecture = header.text("general.architecture")
    if kind != "model" or architecture in (None, "clip"):
        raise InvalidModelError(
            f"{path} is a GGUF of no language model: type {kind!r}, architecture {architecture!r}"
        )
    if not header.tensors:
        raise InvalidModelError(f"{path} holds no weights: it is a vocabulary alone")
    last = max((int(t.data_offset + t.n_bytes) for t in header.tensors), default=0)
    if last > path.stat().st_size:
        raise InvalidModelError(
            f"{path} is cut short: {path.stat().st_size:,} bytes, its tensors end at {last:,}"
        )


def weight_count(path: Path) -> int:
    """How many weights a GGUF holds. Raises InvalidModelError."""
    try:
        return sum(int(tensor.n_elements) for tensor in HeaderReader(path).tensors)
    except UNREADABLE as error:
        raise InvalidModelError(f"{path} is no readable GGUF file: {error}") from error
