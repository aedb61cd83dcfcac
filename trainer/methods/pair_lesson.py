"""What the methods on pairs share: the rows, and the designer's examples beside them.

An example is rehearsed as a pair of equal sides. Their margin is zero and stays so, whatever the
loss makes of margins; what is left of it is the supervised term on its words.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from peft import PeftModel
from transformers import Trainer

from feedback_store.selection import Pair
from personas.render import Tokenizer
from trainer.lora import StartingPoint
from trainer.methods.examples import rehearsed_beside
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import Lesson, PairIds, Spoken, lesson, pair_ids, rehearsed_pair
from trainer.rows.development import split
from trainer.settings import CommonSettings, Schedule, require
from trainer.training import Arguments, train_adapter

ConfigT = TypeVar("ConfigT", bound=CommonSettings)
#: Makes TRL's trainer on a base's folder, and does not start it.
Build = Callable[[ConfigT, Lesson[PairIds], Path, PeftModel, Arguments], Trainer]


def train_on_pairs(
    build: Build[ConfigT],
    config: ConfigT,
    rows: Sequence[Pair],
    examples: Sequence[Spoken],
    start: StartingPoint,
    out_dir: Path,
    io: RunIO,
) -> RunResult:
    """Train an adapter on `rows`, rehearsing `examples`; write its two files into `out_dir`.

    Raises RowsError, AdapterError, BaseModelError before training, TrainingError during it.
    """
    learned = lesson_of(config.schedule, rows, examples, start.tokenizer)
    trainer_from = partial(build, config, learned, start.base_dir)
    return train_adapter(config, learned, start, out_dir, io, trainer_from)


def lesson_of(
    schedule: Schedule, rows: Sequence[Pair], examples: Sequence[Spoken], tokenizer: Tokenizer
) -> Lesson[PairIds]:
    """The pairs, and the examples rehearsed beside them. Raises RowsError."""

    def rehearse(count: int) -> list[PairIds]:
        share, seed = schedule.rehearsed_share, schedule.seed
        return [rehearsed_pair(one) for one in rehearsed_beside(count, examples, share, seed)]

    return lesson(
        split(rows, schedule),
        lambda row: pair_ids(row, tokenizer),
        rehearse,
        schedule.max_tokens,
    )


def require_taught(schedule: Schedule, sft_weight: float) -> None:
    """Raise ConfigError if examples are to be rehearsed and no term of the loss learns them."""
    share = schedule.rehearsed_share
    taught = sft_weight > 0 or share == 0
    require(taught, "rehearsed_share", share, "0 without sft_weight: equal sides teach nothing")
