"""What every training promises, whatever the method: settings count, and a stop tells why."""

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.held import IN_FLOAT32
from tests.support.rows import pairs, thumbs
from tests.support.unstarted import on_labels, on_pairs
from tests.support.watching import ignore
from trainer.errors import ConfigError, DivergedError, OutOfMemoryError, TrainingError
from trainer.held import Optimizer, Weights
from trainer.lora import StartingPoint
from trainer.methods import dpo, kto
from trainer.methods.pair_lesson import lesson_of
from trainer.monitor import Monitor, without_gain
from trainer.progress import Progress, RunIO
from trainer.rows.datasets import labelled_ids, pair_ids
from trainer.settings import LoraShape, Memory, Schedule
from trainer.training import fingerprint, train

LORA = LoraShape(rank=4, alpha=8)
SMALL = dpo.Config(LORA, Schedule(learning_rate=5e-3, epochs=2, micro_batch_rows=2))


def trainer_on(start: StartingPoint, folder: Path, config: dpo.Config = SMALL) -> Any:
    rows = [pair_ids(row, start.tokenizer) for row in pairs(12, start.tokenizer)]
    return on_pairs(config, rows, start, folder)


def test_a_diverged_training_stops_and_keeps_its_log(start: StartingPoint, tmp_path: Path) -> None:
    trainer = trainer_on(start, tmp_path)

    def spoil(progress: Progress) -> None:
        if progress.step == 2:
            with torch.no_grad():
                next(w for w in trainer.model.parameters() if w.requires_grad).fill_(math.nan)

    with pytest.raises(DivergedError, match="loss became nan at step 3") as failed:
        train(trainer, Monitor(RunIO(spoil)))
    assert [metrics.step for metrics in failed.value.history] == [1, 2, 3]
    assert failed.value.history[0].margin == 0.0


def test_a_gradient_that_is_no_number_stops_before_a_checkpoint(
    start: StartingPoint, tmp_path: Path
) -> None:
    trainer = trainer_on(start, tmp_path)
    weight = next(w for w in trainer.model.parameters() if w.requires_grad)
    weight.register_hook(lambda gradient: gradient * math.inf)
    io = RunIO(ignore, checkpoints=tmp_path, checkpoint_every_s=0)
    with pytest.raises(DivergedError, match=r"gradient became (nan|inf) at step 1"):
        train(trainer, Monitor(io))
    assert not list(tmp_path.glob("checkpoint-*"))


def test_what_torch_raises_is_told_with_the_step_and_the_log(
    start: StartingPoint, tmp_path: Path
) -> None:
    def run_out_of_memory(progress: Progress) -> None:
        if progress.step == 2:
            raise torch.OutOfMemoryError("no room for 3 GiB. GPU 0 has a total of 8 GiB\n")

    trainer = trainer_on(start, tmp_path)
    with pytest.raises(OutOfMemoryError, match=r"after step 2: no room for 3 GiB$") as failed:
        train(trainer, Monitor(RunIO(run_out_of_memory)))
    assert len(failed.value.history) == 2


def test_a_full_disk_stops_the_training_with_its_log(start: StartingPoint, tmp_path: Path) -> None:
    (tmp_path / "checkpoint-1").write_text("in the way of the first checkpoint")
    io = RunIO(ignore, checkpoints=tmp_path, checkpoint_every_s=0)
    with pytest.raises(TrainingError, match="training stopped after step 1"):
        train(trainer_on(start, tmp_path), Monitor(io))


@pytest.mark.parametrize(
    ("losses", "late"),
    [([], 0), ([3.0], 0), ([3.0, 2.0, 2.5], 1), ([3.0, 2.0, 2.0, 2.1], 2), ([2.0, 3.0, 1.0], 0)],
)
def test_gain_is_measured_from_the_best_evaluation(losses: list[float], late: int) -> None:
    assert without_gain(losses) == late


SCHEDULE = SMALL.schedule
CHANGED = {
    "rank": replace(SMALL, lora=replace(LORA, rank=2)),
    "alpha": replace(SMALL, lora=replace(LORA, alpha=16)),
    "targets": replace(SMALL, lora=replace(LORA, targets=("q_proj",))),
    "learning_rate": replace(SMALL, schedule=replace(SCHEDULE, learning_rate=1e-3)),
    "epochs": replace(SMALL, schedule=replace(SCHEDULE, epochs=3)),
    "min_steps": replace(SMALL, schedule=replace(SCHEDULE, min_steps=50)),
    "batch_rows": replace(SMALL, schedule=replace(SCHEDULE, batch_rows=8)),
    "micro_batch_rows": replace(SMALL, schedule=replace(SCHEDULE, micro_batch_rows=1)),
    "warmup_share": replace(SMALL, schedule=replace(SCHEDULE, warmup_share=0.5)),
    "weight_decay": replace(SMALL, schedule=replace(SCHEDULE, weight_decay=0.1)),
    "patience": replace(SMALL, schedule=replace(SCHEDULE, patience=2)),
    "seed": replace(SMALL, schedule=replace(SCHEDULE, seed=1)),
    "base": replace(SMALL, memory=Memory(base=Weights.NF4)),
    "bfloat16": replace(SMALL, memory=Memory(base=Weights.BFLOAT16)),
    "optimizer": replace(SMALL, memory=Memory(optimizer=Optimizer.PAGED_ADAMW_8BIT)),
    "gradient_checkpointing": replace(SMALL, memory=Memory(gradient_checkpointing=True)),
}
# Read before the trainer is made; dropout is refused by methods with a reference.
# There may be one device only.
ELSEWHERE = {"rehearsed_share", "max_tokens", "dropout", "continued_rate", "device"}


def seen_by_trl(config: dpo.Config, start: StartingPoint, folder: Path) -> tuple[Any, ...]:
    """What of a config reaches the trainer: its arguments, the adapter and the base."""
    trainer = trainer_on(start, folder, config)
    arguments = {k: v for k, v in trainer.args.to_dict().items() if "dir" not in k}
    policy = trainer.model
    shapes = {name: (tuple(w.shape), w.dtype) for name, w in policy.named_parameters()}
    adapter = policy.peft_config["default"]
    return arguments, shapes, adapter.lora_alpha


@pytest.mark.parametrize("name", CHANGED)
def test_every_common_setting_reaches_the_trainer(
    name: str, start: StartingPoint, tmp_path: Path
) -> None:
    assert seen_by_trl(CHANGED[name], start, tmp_path) != seen_by_trl(SMALL, start, tmp_path)


def test_no_common_setting_is_left_out_of_that_comparison() -> None:
    every = {at.name for kind in (LoraShape, Schedule, Memory) for at in fields(kind)}
    assert every == {*CHANGED, *ELSEWHERE} - {"bfloat16"}  # a value of base


def test_a_continued_adapter_learns_at_a_part_of_the_rate(
    start: StartingPoint, tmp_path: Path
) -> None:
    config, rows = (
        replace(SMALL, schedule=replace(SCHEDULE, continued_rate=0.25)),
        pairs(8, start.tokenizer),
    )
    first = dpo.run(config, rows, (), start, tmp_path / "first", RunIO(ignore))
    goes_on = replace(start, adapter=first.adapter)
    second = dpo.run(config, rows, (), goes_on, tmp_path / "second", RunIO(ignore))
    rates = [[step.learning_rate for step in run.history] for run in (first, second)]
    assert rates[1] == [pytest.approx(0.25 * rate) for rate in rates[0] if rate is not None]


def test_few_rows_are_gone_through_again_and_many_are_not() -> None:
    schedule = Schedule(batch_rows=4, min_steps=40)
    assert [schedule.epochs_of(rows) for rows in (80, 100, 160, 400)] == [2.0, 1.6, 1.0, 1.0]


def test_a_training_takes_the_least_steps_that_are_asked_for(
    start: StartingPoint, tmp_path: Path
) -> None:
    config = replace(SMALL, schedule=replace(SCHEDULE, epochs=1, min_steps=5))
    rows = pairs(config.schedule.batch_rows * 2 + 1, start.tokenizer)
    assert dpo.run(config, rows, (), start, tmp_path / "out", RunIO(ignore)).steps == 5


def test_a_training_is_named_by_everything_it_depends_on(start: StartingPoint) -> None:
    rows = pairs(4, start.tokenizer)
    names = {
        fingerprint(config, lesson_of(config.schedule, those, (), start.tokenizer), start, held)
        for config in (SMALL, replace(SMALL, beta=0.2))
        for those in (rows, rows[:3], [replace(rows[0], weight=0.5), *rows[1:]])
        for held in (IN_FLOAT32, replace(IN_FLOAT32, gradient_checkpointing=True))
    }
    assert len(names) == 12


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_half_trust_halves_a_rows_gradient(
    method: str, start: StartingPoint, tmp_path: Path
) -> None:
    whole, half = (gradients(method, weight, start, tmp_path) for weight in (1.0, 0.5))
    assert sum(float(gradient.abs().sum()) for gradient in whole) > 0
    for full, halved in zip(whole, half, strict=True):
        assert torch.equal(halved, full / 2)


def gradients(method: str, weight: float, start: StartingPoint, folder: Path) -> list[torch.Tensor]:
    """Of the adapter, after one batch of rows with this weight."""
    torch.manual_seed(0)  # of a new adapter's A matrices
    trainer: Any
    if method == "dpo":
        two = [
            replace(pair_ids(row, start.tokenizer), weight=weight)
            for row in pairs(2, start.tokenizer)
        ]
        trainer = on_pairs(SMALL, two, start, folder)
    else:
        config = kto.Config(LORA, Schedule(batch_rows=4, micro_batch_rows=4))
        rows = [labelled_ids(row, start.tokenizer) for row in thumbs(2, 2, start.tokenizer)]
        trainer = on_labels(config, [replace(row, weight=weight) for row in rows], start, folder)
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.compute_loss(trainer.model, batch).backward()
    return [w.grad for w in trainer.model.parameters() if w.grad is not None]


def test_an_unknown_layer_is_refused_with_the_known_ones(
    start: StartingPoint, tmp_path: Path
) -> None:
    config = replace(SMALL, lora=replace(LORA, targets=("q_proj", "wq")))
    with pytest.raises(ConfigError, match=r"targets \['wq'\] are not layers .*'down_proj', 'gate_"):
        trainer_on(start, tmp_path, config)
