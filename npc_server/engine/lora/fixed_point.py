"""An adapter in integers, as `kernels` reads it.

Each rank of A, and of B, has a factor of its own, so that its largest number just fits. In 16 bits,
rounding loses less than the 16-bit floats have lost before, unless a number is a hundred times its
neighbours. In 8 bits it loses about a hundredth of the adapter's effect, and a step has half as
much to read: for a quantized base, which rounds the inputs of its products to 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from npc_server.engine.lora.half_lora import Half, HalfLora

LANES = 8  # ranks that are computed together, and outputs
BLOCK = 64  # outputs whose part of B lies together, all ranks of it

Fixed = npt.NDArray[np.signedinteger[Any]]
Factors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FixedMatrices:
    """One linear's: A·x is the sum of `a`, times `scale`."""

    a: Fixed  # [columns, rank]
    b: Fixed  # [rows / BLOCK, rank, BLOCK]
    scale: Factors  # [rank], of A and B together


@dataclass(frozen=True)
class FixedLora:
    """An adapter, its rank filled up with zeros to a multiple of LANES."""

    matrices: Mapping[str, FixedMatrices]  # by linear
    rank: int

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return sum(
            part.nbytes for one in self.matrices.values() for part in (one.a, one.b, one.scale)
        )


def integer_type(bits: int) -> np.dtype[Any]:
    """The type of integers of 8 or 16 bits."""
    return np.dtype({8: np.int8, 16: np.int16}[bits])


def fixed_point(lora: HalfLora, bits: int) -> FixedLora:
    """The same adapter in integers of 8 or 16 bits."""
    rank = -(-lora.rank // LANES) * LANES
    names, kind = lora.a.keys() & lora.b.keys(), integer_type(bits)
    return FixedLora(
        {name: _matrices(lora.a[name], lora.b[name], rank, kind) for name in names}, rank
    )


def _matrices(a: Half, b: Half, rank: int, kind: np.dtype[Any]) -> FixedMatrices:
    (fixed_a, factors_a), (fixed_b, factors_b) = _integers(a, rank, kind), _integers(b, rank, kind)
    blocks = -(-b.shape[1] // BLOCK)
    filled = np.zeros((rank, blocks * BLOCK), kind)
    filled[:, : b.shape[1]] = fixed_b
    in_blocks = filled.reshape(rank, blocks, BLOCK).transpose(1, 0, 2)
    return FixedMatrices(
        np.ascontiguousarray(fixed_a.T), np.ascontiguousarray(in_blocks), factors_a * factors_b
    )


def _integers(matrix: Half, rank: int, kind: np.dtype[Any]) -> tuple[Fixed, Factors]:
    """(numbers, the factor of each row), with rows of zeros up to `rank`."""
    single = matrix.astype(np.float32)
    factors = np.zeros(rank, np.float32)
    factors[: len(single)] = np.abs(single).max(axis=1) / np.iinfo(kind).max
    numbers = np.zeros((rank, single.shape[1]), kind)
    divisors = np.where(factors[: len(single)] > 0, factors[: len(single)], 1)
    numbers[: len(single)] = np.rint(single / divisors[:, None])
    return numbers, factors
