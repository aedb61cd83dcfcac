"""Trains an adapter on thumbs, one row at a time: APO-zero (D'Oosterlinck 2024).

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_labels, examples, start, out, RunIO(print))

Good replies are made likelier than under the reference, bad ones less likely, each by itself: no
drift is measured, so a machine with memory for a single row can train. Everything but the loss
is as in `trainer.methods.kto`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feedback_store.selection import Labelled
from trainer.lora import StartingPoint
from trainer.methods import kto
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import Spoken
from trainer.settings import LoraShape, Memory, Schedule, refuse_dropout, require


@dataclass(frozen=True)
class Config:
    """How to train on labelled replies without measuring drift."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=lambda: Schedule(micro_batch_rows=1))
    memory: Memory = field(default_factory=Memory)
    beta: float = 0.1  # higher stays closer to the reference

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        refuse_dropout(self.lora)
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")

    @property
    def loss(self) -> str:
        """TRL's name of the loss."""
        return "apo_zero_unpaired"


def run(
    config: Config,
    rows: Sequence[Labelled],
    examples: Sequence[Spoken],
    start: StartingPoint,
    out_dir: Path,
    io: RunIO,
) -> RunResult:
    """Train an adapter on `rows`, rehearsing `examples`; write its two files into `out_dir`.

    Raises RowsError, AdapterError, BaseModelError before training, TrainingError during it.
    """
    return kto.run(config, rows, examples, start, out_dir, io)
