"""Where the adapters of running turns lie: one slot per sequence, in memory of the host.

For every adapted linear of the base, the A matrices of all slots are stacked, and so are the B
matrices, in the order in which `kernels` reads them. Slots of neighbouring sequences are a fixed
stride apart, which is what lets one product walk over them. A slot knows how many ranks of it are
in use: an adapter of a smaller rank costs less, and the bare base costs nothing.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from npc_server.engine.lora.fixed_point import (
    BLOCK,
    LANES,
    Fixed,
    FixedLora,
    fixed_point,
    integer_type,
)
from npc_server.engine.lora.half_lora import HalfLora

MAY_LOSE = 0.01  # of an adapter's effect
MAY_LOSE_IN_8_BITS = 0.03  # a hundredth is usual

_ALIGNMENT_BYTES = 64


def slot_rank(max_rank: int) -> int:
    """The rank of slots that take adapters of at most `max_rank`."""
    return -(-max_rank // LANES) * LANES


#: An adapter as some kind of slots takes it.
Lora = HalfLora | FixedLora


class Slots(Protocol):
    """A slot per sequence, for every linear of a base."""

    rank: int
    slots: int
    may_lose: float
    """The share of an adapter's effect that rounding may lose in slots of this kind, at most."""

    @property
    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """(inputs, outputs) of each linear, by the name of the base's weight."""
        ...

    def form_of(self, lora: HalfLora) -> Lora:
        """An adapter in the form that is loaded fastest."""
        ...

    def load(self, slot: int, lora: Lora, scale: float = 1.0) -> None:
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
    a: Fixed  # [slots, columns, rank]
    b: Fixed  # [slots, rows / BLOCK, rank, BLOCK]
    scale: npt.NDArray[np.float32]  # [slots, rank]
    ranks: npt.NDArray[np.int64]  # [slots], in use


class SlotArena:
    """Slots for `slots` adapters of at most `rank`, for the linears of one base.

    `linears` maps a weight's name to its (columns, rows). Adapters are kept in integers of `bits`.
    """

    def __init__(
        self, linears: Mapping[str, tuple[int, int]], slots: int, rank: int, bits: int = 16
    ) -> None:
        self.rank = rank
        self.bits = bits
        self.may_lose = MAY_LOSE if bits == 16 else MAY_LOSE_IN_8_BITS
        self.slots = slots
        self.sizes = linears
        kind = integer_type(bits)
        memory = _Memory(
            sum(_linear_bytes(slots, rank, kind.itemsize, *size) for size in linears.values())
        )
        self.linears = {
            name: HostLinear(
                columns,
                rows,
                a=memory.take(kind, (slots, columns, rank)),
                b=memory.take(kind, (slots, -(-rows // BLOCK), rank, BLOCK)),
                scale=memory.take(np.float32, (slots, rank)),
                ranks=memory.take(np.int64, (slots,)),
            )
            for name, (columns, rows) in linears.items()
        }

    def form_of(self, lora: HalfLora) -> FixedLora:
        """An adapter in fixed point."""
        return fixed_point(lora, self.bits)

    def load(self, slot: int, lora: Lora, scale: float = 1.0) -> None:
        """Copy an adapter into a slot, `scale` times as strong."""
        fixed = lora if isinstance(lora, FixedLora) else self.form_of(lora)
        for name, linear in self.linears.items():
            matrices = fixed.matrices.get(name)
            if matrices is None:
                linear.ranks[slot] = 0
            else:
                linear.ranks[slot] = fixed.rank
                linear.a[slot, :, : fixed.rank] = matrices.a
                linear.b[slot, :, : fixed.rank] = matrices.b
                np.multiply(matrices.scale, scale, out=linear.scale[slot, : fixed.rank])

    def clear(self, slot: int) -> None:
        """Make a slot the bare base."""
        for linear in self.linears.values():
            linear.ranks[slot] = 0

    def copy(self, source: int, target: int) -> None:
        """Make `target` hold what `source` holds."""
        for linear in self.linears.values():
            for stack in (linear.a, linear.b, linear.scale, linear.ranks):
                stack[target] = stack[source]


def _linear_bytes(slots: int, rank: int, item_bytes: int, columns: int, rows: int) -> int:
    a, b = item_bytes * rank * columns, item_bytes * rank * _round_up(rows, BLOCK)
    return sum(_round_up(slots * size) for size in (a, b, 4 * rank, 8))


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

    def take(self, kind: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        array = np.ndarray(shape, kind, self._map, self._taken)
        self._taken += _round_up(array.nbytes)
        return array


def _round_up(size: int, unit: int = _ALIGNMENT_BYTES) -> int:
    return -(-size // unit) * unit
