"""One training of a new base: what it learns, from which base, and where the new one goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.lora import StartingPoint
from trainer.progress import RunIO
from trainer.rows.datasets import Spoken
from trainer.rows.replay import Rows


@dataclass(frozen=True)
class TrainingTask:
    """What every fine-tuning of a base works with."""

    rows: Rows
    examples: Sequence[Spoken]  # of the designers, rehearsed beside the rows
    served: Path  # the GGUF it is trained from
    start: StartingPoint  # the same, unpacked
    out: Path  # the new GGUF
    io: RunIO
