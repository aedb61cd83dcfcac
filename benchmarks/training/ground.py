"""What every part of the benchmark is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measures import Measured

CHARACTER = "mira"
OURS, STOCK = "ours", "stock"  # whose training

#: Called with (what is done, steps so far, steps in all).
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int  # of each side, alternating
    pairs: int  # a training


FULL = Extent(rounds=2, pairs=24)
QUICK = Extent(rounds=1, pairs=16)


@dataclass(frozen=True)
class Ground:
    """Where and how a part runs."""

    base: Path  # GGUF
    scratch: Path
    cache: Path
    extent: Extent
    tell: Tell


@dataclass(frozen=True)
class Findings:
    """What a part found."""

    figures: Mapping[str, Measured]
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: Sequence[str] = ()
