"""Trainers that are set up and not started, for a look at what they would learn from."""

from collections.abc import Sequence
from pathlib import Path

from trainer.lora import StartingPoint, load_policy
from trainer.methods import dpo, kto
from trainer.rows.datasets import LabelledIds, Lesson, PairIds
from trainer.training import common_arguments


def on_pairs(
    config: dpo.Config, rows: Sequence[PairIds], start: StartingPoint, folder: Path
) -> dpo.DPOTrainerOnIds:
    policy = load_policy(start, config.lora, config.memory)
    aside = tuple(rows[:1]) if config.schedule.patience else ()
    learned: Lesson[PairIds] = Lesson(tuple(rows), aside, len(rows), 0)
    return dpo.build(
        config, learned, policy, start.base_dir, common_arguments(config, folder, len(learned.rows))
    )


def on_labels(
    config: kto.Config, rows: Sequence[LabelledIds], start: StartingPoint, folder: Path
) -> kto.KTOTrainerOnIds:
    policy = load_policy(start, config.lora, config.memory)
    learned: Lesson[LabelledIds] = Lesson(tuple(rows), (), len(rows), 0)
    return kto.build(
        config, learned, policy, start.base_dir, common_arguments(config, folder, len(learned.rows))
    )
