"""Trainers that are set up and not started, for a look at what they would learn from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from peft import PeftModel

from trainer.lora import StartingPoint, load_policy
from trainer.methods import dpo, kto
from trainer.rows.datasets import LabelledIds, Lesson, PairIds, Row
from trainer.settings import CommonSettings
from trainer.training import Arguments, common_arguments, plan_memory

ConfigT = TypeVar("ConfigT", bound=CommonSettings)
RowT = TypeVar("RowT", bound=Row)
TrainerT = TypeVar("TrainerT")


def unstarted(
    build: Callable[[ConfigT, Lesson[RowT], Path, PeftModel, Arguments], TrainerT],
    config: ConfigT,
    lesson: Lesson[RowT],
    start: StartingPoint,
    folder: Path,
) -> TrainerT:
    held = plan_memory(config, lesson, start.base_dir)
    policy = load_policy(start, config.lora, held)
    arguments = common_arguments(config, held, folder, len(lesson.rows))
    return build(config, lesson, start.base_dir, policy, arguments)


def on_pairs(
    config: dpo.Config, rows: Sequence[PairIds], start: StartingPoint, folder: Path
) -> dpo.DPOTrainerOnIds:
    aside = tuple(rows[:1]) if config.schedule.patience else ()
    lesson: Lesson[PairIds] = Lesson(tuple(rows), aside, len(rows), 0)
    return unstarted(dpo.build, config, lesson, start, folder)


def on_labels(
    config: kto.Config, rows: Sequence[LabelledIds], start: StartingPoint, folder: Path
) -> kto.KTOTrainerOnIds:
    lesson: Lesson[LabelledIds] = Lesson(tuple(rows), (), len(rows), 0)
    return unstarted(kto.build, config, lesson, start, folder)
