"""What training in little memory promises: the same lesson, the same two files."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.rows import pairs, thumbs
from tests.support.watching import ignore
from trainer.lora import StartingPoint, load_voice
from trainer.methods import dpo, kto
from trainer.progress import RunIO, RunResult
from trainer.settings import LoraShape, Memory, Optimizer, Schedule, Weights

LORA = LoraShape(rank=4, alpha=8)
SCHEDULE = Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=4)
SMALL = dpo.Config(LORA, SCHEDULE)
QLORA = Memory(Weights.NF4, Optimizer.PAGED_ADAMW_8BIT, gradient_checkpointing=True)


def run(config: dpo.Config, start: StartingPoint, out: Path, rows: int = 8) -> RunResult:
    return dpo.run(config, pairs(rows, start.tokenizer), (), start, out, RunIO(ignore))


def test_gradient_checkpointing_learns_the_same(start: StartingPoint, tmp_path: Path) -> None:
    config = replace(SMALL, memory=Memory(gradient_checkpointing=True))
    frugal = run(config, start, tmp_path / "frugal")
    usual = run(SMALL, start, tmp_path / "usual")
    assert frugal.history[0].margin == 0.0
    for ours, theirs in zip(frugal.history, usual.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-4)


def test_an_eight_bit_optimizer_learns(start: StartingPoint, tmp_path: Path) -> None:
    config = replace(SMALL, memory=Memory(optimizer=Optimizer.PAGED_ADAMW_8BIT))
    losses = [metrics.loss for metrics in run(config, start, tmp_path / "a").history]
    assert len(losses) == 4
    assert losses[-1] < losses[0]


def test_a_base_in_four_bits_learns_and_saves_an_adapter_for_the_float_base(
    start: StartingPoint, tmp_path: Path
) -> None:
    result = run(replace(SMALL, memory=QLORA), start, tmp_path / "a")
    losses = [metrics.loss for metrics in result.history]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]
    names = sorted(file.name for file in result.adapter.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    weights = load_file(result.adapter / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert load_voice(start.base_dir, result.adapter).num_parameters() > 0


def test_a_parent_goes_on_in_four_bits_from_exactly_its_weights(
    start: StartingPoint, tmp_path: Path
) -> None:
    parent = run(SMALL, start, tmp_path / "parent").adapter
    child = replace(start, adapter=parent)
    assert run(replace(SMALL, memory=QLORA), child, tmp_path / "child").history[0].margin == 0.0


def test_thumbs_can_be_learned_in_four_bits(start: StartingPoint, tmp_path: Path) -> None:
    config = kto.Config(LORA, SCHEDULE, QLORA)
    rows = thumbs(8, 4, start.tokenizer)
    result = kto.run(config, rows, (), start, tmp_path / "a", RunIO(ignore))
    assert result.history[0].margin == 0.0
    assert result.history[-1].margin is not None
    assert result.history[-1].margin > 0
