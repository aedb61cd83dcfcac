"""How much the parts of the benchmark measure."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import parts


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int  # by each door


FULL = Extent(rounds=9)
QUICK = Extent(rounds=2)

Workspace = parts.Workspace[Extent]
