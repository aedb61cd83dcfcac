"""How much the parts of the benchmark measure."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import parts


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int  # by each door
    first_texts: int  # of a player alone, by each door


FULL = Extent(rounds=9, first_texts=40)
QUICK = Extent(rounds=2, first_texts=5)

Workspace = parts.Workspace[Extent]
