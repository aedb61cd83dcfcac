"""The ways to a new base: an adapter merged into it, or all of its weights.

Either is a module with a `run`; what else is to be known of it stands here, and nothing branches on
ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trainer.lora import StartingPoint
from trainer.own_base import full, merged
from trainer.progress import RunIO, RunResult
from trainer.recipes.recipe import FULL
from trainer.rows.datasets import Spoken
from trainer.rows.replay import Rows


class Run(Protocol):
    """Trains weights on rows beside rehearsed examples."""

    def __call__(
        self,
        config: Any,
        rows: Rows,
        examples: Sequence[Spoken],
        served: Path,
        start: StartingPoint,
        out: Path,
        io: RunIO,
    ) -> RunResult:
        """Write the GGUF `out`, which differs from `served` by its weights. Raises TrainerError."""


@dataclass(frozen=True)
class Way:
    """How a new base comes about."""

    name: str  # in its manifest, and of its table in [training]
    run: Run
    copies: int  # of the base at 32 bits, that lie on the disk at once


#: On the disk: the file, and the copy it is read back from.
MERGED = Way("sft", merged.run, copies=2)
#: Also two checkpoints of the model, with two moments for each weight.
ALL_WEIGHTS = Way(FULL, full.run, copies=8)
