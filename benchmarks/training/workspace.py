"""What every part of the benchmark is given."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import parts

CHARACTER = "mira"
OURS, STOCK = "ours", "stock"  # whose training


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int  # of each side, alternating
    pairs: int  # per training


FULL = Extent(rounds=2, pairs=24)
QUICK = Extent(rounds=1, pairs=16)

Workspace = parts.Workspace[Extent]
