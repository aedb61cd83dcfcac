"""What training in little memory promises: the same lesson, the same two files."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from npc_server.engine import host_memory
from tests.support.rows import edits, pairs, thumbs
from tests.support.watching import ignore
from trainer import four_bits, lora, training
from trainer.divergence import kl_divergence, next_log_probs
from trainer.errors import OutOfMemoryError
from trainer.four_bits import ensure_rounding, rounding
from trainer.held import Device, Held, Optimizer, Weights
from trainer.lora import StartingPoint, load_voice
from trainer.methods import dpo, kto, sft
from trainer.progress import Progress, RunIO, RunResult
from trainer.records.entries import Rounding
from trainer.rows.replay import Rows
from trainer.settings import LoraShape, Memory, Schedule

LORA = LoraShape(rank=4, alpha=8)
#: How a GPU holds what does not fit in 16 bits; a CPU can, too.
AS_ON_A_GPU = Held(Device.CPU, Weights.NF4, True, Optimizer.PAGED_ADAMW_8BIT, True, rows_at_once=2)
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


HALF = Memory(base=Weights.BFLOAT16)


@pytest.mark.parametrize("base", [Weights.BFLOAT16, Weights.NF4])
def test_in_sixteen_bits_policy_and_reference_begin_alike(
    base: Weights, start: StartingPoint, tmp_path: Path
) -> None:
    parent = run(SMALL, start, tmp_path / "parent").adapter
    config = replace(SMALL, memory=Memory(base=base))
    goes_on = run(config, replace(start, adapter=parent), tmp_path / "child")
    assert goes_on.history[0].margin == 0.0
    assert goes_on.held is not None
    assert goes_on.held.weights is base


def test_thumbs_and_edits_are_learned_in_sixteen_bits(start: StartingPoint, tmp_path: Path) -> None:
    io, tokenizer = RunIO(ignore), start.tokenizer
    thumbed = kto.run(
        kto.Config(LORA, SCHEDULE, HALF), thumbs(8, 4, tokenizer), (), start, tmp_path / "k", io
    )
    edited = sft.run(
        sft.Config(LORA, SCHEDULE, HALF), Rows(edits(8, tokenizer)), (), start, tmp_path / "s", io
    )
    for learned in (thumbed, edited):
        weights = load_file(learned.adapter / "adapter_model.safetensors")
        assert {weight.dtype for weight in weights.values()} == {torch.float32}
        assert math.isfinite(learned.history[-1].loss)
    assert edited.history[-1].loss < edited.history[0].loss


def test_what_a_gpu_does_with_a_large_base_learns(
    start: StartingPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "plan", lambda *_: AS_ON_A_GPU)
    result = run(SMALL, start, tmp_path / "a")
    losses = [metrics.loss for metrics in result.history]
    assert result.history[0].margin == 0.0
    assert losses[-1] < losses[0]
    weights = load_file(result.adapter / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}


def test_short_memory_is_met_by_computing_again(
    start: StartingPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = run(SMALL, start, tmp_path / "usual")
    monkeypatch.setattr(host_memory, "available_bytes", lambda: 8 << 20)
    frugal = run(SMALL, start, tmp_path / "frugal")
    assert frugal.held is not None
    assert frugal.held.gradient_checkpointing
    for ours, theirs in zip(frugal.history, usual.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-3)


def test_when_memory_runs_out_the_message_names_the_setting(
    start: StartingPoint, tmp_path: Path
) -> None:
    def run_out(_: Progress) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has ...")

    rows = pairs(8, start.tokenizer)
    told = r"after step 1: CUDA out of memory\. Tried .* 2 GiB; set gradient_checkpointing = true"
    with pytest.raises(OutOfMemoryError, match=told) as failed:
        dpo.run(SMALL, rows, (), start, tmp_path / "a", RunIO(run_out))
    assert len(failed.value.history) == 1


def test_a_voice_in_sixteen_bits_says_what_the_exact_one_says(
    start: StartingPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = run(SMALL, start, tmp_path / "a").adapter
    window = tuple(range(5, 40))
    exact = next_log_probs(load_voice(start.base_dir, adapter), window)
    bare = next_log_probs(load_voice(start.base_dir, None), window)
    monkeypatch.setattr(lora, "voice_place", lambda *_: (Device.CPU, Weights.BFLOAT16))
    half = next_log_probs(load_voice(start.base_dir, adapter), window)
    assert kl_divergence(half, exact) < 0.02 * kl_divergence(bare, exact)


def test_what_four_bits_change_is_measured_once_per_base(
    start: StartingPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ensure_rounding(start.base_dir, start.tokenizer, AS_ON_A_GPU)
    assert 0 < found.kl < 1
    assert 0 < found.same_next < 1
    monkeypatch.setattr(four_bits, "load_base", None)
    assert ensure_rounding(start.base_dir, start.tokenizer, AS_ON_A_GPU) == found


def test_equal_readings_are_no_rounding() -> None:
    log_probs = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]).log()
    assert rounding([log_probs], [log_probs]) == Rounding(0.0, 1.0)
    turned = rounding([log_probs.flip(1)], [log_probs])
    assert turned.kl > 0.1
    assert turned.same_next == 0.0
