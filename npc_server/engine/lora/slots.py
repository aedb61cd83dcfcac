"""Where the adapters of running turns lie: one slot per sequence, in memory of the host.

For every adapted linear of the base, the A matrices of all slots are stacked, F16, and so are the B
matrices, transposed and in F32: B is added up column by column, and ggml does that well in F32
alone. Slots of neighbouring sequences are a fixed stride apart, which is what lets one product walk
over them. An adapter of a smaller rank is padded with zeros, which add nothing.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Half = npt.NDArray[np.float16]
Single = npt.NDArray[np.float32]

_ALIGNMENT_BYTES = 64
_RANK_UNIT = 16  # ggml's fast kernels want operands in multiples of it


def slot_rank(max_rank: int) -> int:
    """The rank of slots that take adapters of at most `max_rank`."""
    return -(-max_rank // _RANK_UNIT) * _RANK_UNIT


@dataclass(frozen=True)
class PackedLora:
    """An adapter ready to be copied into a slot; its scale is folded into `b`."""

    a: Mapping[str, Half]  # linear -> [rank, columns]
    b: Mapping[str, Half]  # linear -> [rank, rows], transposed
    rank: int

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return sum(tensor.nbytes for side in (self.a, self.b) for tensor in side.values())


@dataclass(frozen=True)
class Stack:
    """Where matrices of all slots begin, one after the other."""

    address: int
    buffer: int = 0  # of ggml, that they lie in; 0 = the CPU reads them where they lie


class LinearSlots(Protocol):
    """All slots of one linear."""

    @property
    def columns(self) -> int:
        """Width of the input."""
        ...

    @property
    def rows(self) -> int:
        """Width of the output."""
        ...

    @property
    def a_stack(self) -> Stack:
        """The A matrices, [slots, rank, columns]."""
        ...

    @property
    def b_stack(self) -> Stack:
        """The B matrices, as `b_in_columns` says."""
        ...

    @property
    def b_in_columns(self) -> bool:
        """Whether they are [slots, rank, rows] in F32; else [slots, rows, rank] in F16."""
        ...


class Slots(Protocol):
    """A slot per sequence, for every linear of a base."""

    rank: int
    slots: int

    @property
    def linears(self) -> Mapping[str, LinearSlots]:
        """By the name of the base's weight."""
        ...

    def load(self, slot: int, lora: PackedLora, scale: float = 1.0) -> None:
        """Copy an adapter into a slot, `scale` times as strong."""
        ...

    def clear(self, slot: int) -> None:
        """Make a slot the bare base."""
        ...

    def copy(self, source: int, target: int) -> None:
        """Make `target` hold what `source` holds."""
        ...


@dataclass(frozen=True)
class HostLinear:
    """All slots of one linear."""

    columns: int
    rows: int
    a: Half  # [slots, rank, columns]
    b: Single  # [slots, rank, rows]

    @property
    def a_stack(self) -> Stack:
        """The A matrices."""
        return Stack(self.a.ctypes.data)

    @property
    def b_stack(self) -> Stack:
        """The B matrices."""
        return Stack(self.b.ctypes.data)

    @property
    def b_in_columns(self) -> bool:
        """They are [slots, rank, rows] in F32."""
        return True


class SlotArena:
    """Slots for `slots` adapters of at most `rank`, for the linears of one base.

    `linears` maps a weight's name to its (columns, rows).
    """

    def __init__(self, linears: Mapping[str, tuple[int, int]], slots: int, rank: int) -> None:
        self.rank = rank
        self.slots = slots
        wide = slots * rank
        sizes = [wide * n for columns, rows in linears.values() for n in (2 * columns, 4 * rows)]
        memory = _Memory(sum(map(_round_up, sizes)))
        self.linears = {
            name: HostLinear(
                columns,
                rows,
                a=memory.take(np.float16, (slots, rank, columns)),
                b=memory.take(np.float32, (slots, rank, rows)),
            )
            for name, (columns, rows) in linears.items()
        }

    def load(self, slot: int, lora: PackedLora, scale: float = 1.0) -> None:
        """Copy an adapter into a slot, `scale` times as strong."""
        for name, linear in self.linears.items():
            a, b = lora.a.get(name), lora.b.get(name)
            if a is None or b is None:
                linear.b[slot] = 0
            else:
                linear.a[slot, : lora.rank] = a
                linear.a[slot, lora.rank :] = 0
                linear.b[slot, : lora.rank] = b
                linear.b[slot, : lora.rank] *= np.float32(scale)
                linear.b[slot, lora.rank :] = 0

    def clear(self, slot: int) -> None:
        """Make a slot the bare base: with B zero, whatever A holds adds nothing."""
        for linear in self.linears.values():
            linear.b[slot] = 0

    def copy(self, source: int, target: int) -> None:
        """Make `target` hold what `source` holds."""
        for linear in self.linears.values():
            linear.a[target] = linear.a[source]
            linear.b[target] = linear.b[source]


class _Memory:
    """One zeroed block that arrays are cut from; on huge pages where the system has them.

    Each step walks over all of it: with small pages the walk misses the TLB.
    """

    def __init__(self, size_bytes: int) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._map = mmap.mmap(-1, max(size_bytes, 1), flags=flags)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._map.madvise(mmap.MADV_HUGEPAGE)
        self._taken = 0

    def take(self, kind: npt.DTypeLike, shape: tuple[int, int, int]) -> npt.NDArray[Any]:
        array = np.ndarray(shape, kind, self._map, self._taken)
        self._taken += _round_up(array.nbytes)
        return array


def _round_up(size_bytes: int) -> int:
    return -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
