"""The header of a GGUF, read without the arrays of a tokenizer, which take seconds."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader, GGUFValueType

from npc_server.engine.plain_files import require_plain

#: What reading a file that is no GGUF, or a damaged one, raises.
UNREADABLE = (OSError, ValueError, ArithmeticError, KeyError, IndexError, struct.error)

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)  # that llama.cpp and the gguf package read
_BEGINNING = struct.Struct("<4sI")  # magic, version


def kind_fault(path: Path) -> str:
    """Why a file is no GGUF that can be read here, by how it begins; "" = it is one.

    Raises OSError.
    """
    require_plain(path)
    with path.open("rb") as file:
        begins = file.read(_BEGINNING.size)
    if begins[:4] != _MAGIC:
        return f"is no GGUF: it begins with {begins[:4]!r}, not {_MAGIC!r}"
    if len(begins) < _BEGINNING.size:
        return "is cut short: it ends within its first bytes"
    _, version = _BEGINNING.unpack(begins)
    if version in _VERSIONS:
        return ""
    if version & 0xFFFF == 0:
        return "is a GGUF for big-endian machines; use the little-endian file of the model"
    return (
        f"is a GGUF of version {version}, and versions 2 and 3 are read here; convert the model"
        " anew, or use a newer file of it"
    )


#: Items that a list of numbers may have to be read: one per layer, and not one per token.
_LONGEST_LIST = 1024


class HeaderReader(GGUFReader):
    """Skips long arrays and those of text; tensors, single values and short lists are there."""

    def __init__(self, path: Path) -> None:
        """Raises what is UNREADABLE, for a pipe and a device too."""
        require_plain(path)
        super().__init__(path)

    def number(self, key: str) -> float | None:
        """A number of the metadata; None when it is absent or no number."""
        found = self._value(key)
        return float(found) if isinstance(found, (int, float)) else None

    def text(self, key: str) -> str | None:
        """A text of the metadata; None when it is absent or no text."""
        found = self._value(key)
        return found if isinstance(found, str) else None

    def numbers(self, key: str) -> tuple[float, ...]:
        """The numbers of a short list, such as one per layer; () when there is none."""
        field = self.get_field(key)
        if field is None or field.types[0] != GGUFValueType.ARRAY or not field.data:
            return ()
        return tuple(float(item) for item in field.contents())

    def repeated_text(self, key: str) -> str | None:
        """A text that a list of texts holds twice, empty ones apart; None when there is none."""
        seen: set[bytes] = set()
        for text in self._texts(key):
            if text in seen:
                return text.decode("utf-8", "replace")
            seen.update((text,) if text else ())
        return None

    def _texts(self, key: str) -> Iterator[bytes]:
        field = self.get_field(key)
        if field is None or field.types[0] != GGUFValueType.ARRAY:
            return
        data, at = self.data.data, field.offset + 8 + len(key.encode()) + 4
        kind, count = struct.unpack_from("<IQ", data, at)
        if kind != GGUFValueType.STRING:
            return
        at, length = at + 12, struct.Struct("<Q")
        for _ in range(count):
            (size,) = length.unpack_from(data, at)
            yield bytes(data[at + 8 : at + 8 + size])
            at += 8 + size

    def _value(self, key: str) -> object:
        field = self.get_field(key)
        if field is None or field.types[0] == GGUFValueType.ARRAY:
            return None
        return field.contents()

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]:
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        item_type, count = struct.unpack_from("<IQ", self.data.data, orig_offs)
        if item_type not in (GGUFValueType.STRING, GGUFValueType.ARRAY) and count <= _LONGEST_LIST:
            return super()._get_field_parts(orig_offs, raw_type)
        size = 12 + self._items_size(orig_offs + 12, GGUFValueType(item_type), count)
        return size, [], [], [GGUFValueType.ARRAY]

    def _items_size(self, offset: int, kind: GGUFValueType, count: int) -> int:
        if kind != GGUFValueType.STRING:
            return count * np.dtype(self.gguf_scalar_to_np[kind]).itemsize
        data, length, end = self.data.data, struct.Struct("<Q"), offset
        for _ in range(count):
            end += 8 + length.unpack_from(data, end)[0]
        return end - offset
