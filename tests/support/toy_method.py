"""A training method that no product module knows: DPO without its supervised term."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feedback_store.selection import Pair
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import Spoken
from trainer.settings import LoraShape, Memory, Schedule, require


@dataclass(frozen=True)
class Config:
    """How to train on pairs, with one setting of its own."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=lambda: Schedule(rehearsed_share=0.0))
    memory: Memory = field(default_factory=Memory)
    zest: float = 0.1

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require(self.zest > 0, "zest", self.zest, "above 0")


def run(
    config: Config,
    rows: Sequence[Pair],
    examples: Sequence[Spoken],
    start: StartingPoint,
    out_dir: Path,
    io: RunIO,
) -> RunResult:
    """Train an adapter on `rows`."""
    as_dpo = dpo.Config(config.lora, config.schedule, config.memory, config.zest, sft_weight=0.0)
    return dpo.run(as_dpo, rows, examples, start, out_dir, io)
