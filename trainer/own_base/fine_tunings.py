"""The two ways to fine-tune a base: an adapter merged into it, or all of its weights.

Each is a module with a `run`; what else depends on the choice stands here, and nothing branches on
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from trainer.own_base import full, merged
from trainer.own_base.training_task import TrainingTask
from trainer.progress import RunResult
from trainer.recipes.recipe import FULL


class TrainBase(Protocol):
    """Trains a base's weights on rows beside rehearsed examples."""

    def __call__(self, config: Any, task: TrainingTask) -> RunResult:
        """Write `task.out`: `task.served` with other weights. Raises TrainerError."""


@dataclass(frozen=True)
class FineTuning:
    """How a base is fine-tuned."""

    name: str  # in the base's manifest, and of its table in [training]
    run: TrainBase
    copies: int  # of the base at 32 bits that lie on the disk at once


#: On the disk: the file, and the copy it is read back from.
MERGED = FineTuning("sft", merged.run, copies=2)
#: Also two checkpoints of the model, with two moments for each weight.
ALL_WEIGHTS = FineTuning(FULL, full.run, copies=8)
