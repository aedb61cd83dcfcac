"""The header of a GGUF, read without the arrays of a tokenizer, which take seconds."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader, GGUFValueType

#: What reading a file that is no GGUF, or a damaged one, raises.
UNREADABLE = (OSError, ValueError, KeyError, IndexError, struct.error)


#: Items that a list of numbers may have to be read: one per layer, and not one per token.
_LONGEST_LIST = 1024


class HeaderReader(GGUFReader):
    """Skips long arrays and those of text; tensors, single values and short lists are there."""

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
