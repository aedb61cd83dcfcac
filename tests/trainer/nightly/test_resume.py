"""What an interrupted training promises: it ends in the bytes of one that was not interrupted."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from tests.support.interrupted_training import run
from tests.support.paths import ROOT
from tests.support.watching import ignore
from trainer.checkpoints import SEAL
from trainer.lora import StartingPoint
from trainer.progress import OnProgress, Progress, RunResult


class PowerCutError(Exception):
    """Nothing that a training expects."""


def cut_at(step: int) -> OnProgress:
    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise PowerCutError

    return on_progress


def weights(result: RunResult) -> bytes:
    return (result.adapter / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def start(
    base_dir: Path, tokenizer: Vocab, tmp_path_factory: pytest.TempPathFactory
) -> StartingPoint:
    """From a parent: its weights are not zero, so a wrong reference would show."""
    out = tmp_path_factory.mktemp("parent") / "adapter"
    parent = run("dpo", StartingPoint(base_dir, tokenizer, None), out, ignore)
    return StartingPoint(base_dir, tokenizer, parent.adapter)


@pytest.fixture(scope="module", params=["dpo", "kto"])
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def unbroken(
    method: str, start: StartingPoint, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    return run(method, start, tmp_path_factory.mktemp("unbroken") / "a", ignore)


@pytest.mark.parametrize("step", [6, 8], ids=["between epochs", "within one"])
def test_a_cut_training_goes_on_to_the_same_bytes(
    method: str, step: int, unbroken: RunResult, start: StartingPoint, tmp_path: Path
) -> None:
    with pytest.raises(PowerCutError):
        run(method, start, tmp_path / "a", cut_at(step), tmp_path / "kept")
    resumed = run(method, start, tmp_path / "a", ignore, tmp_path / "kept")
    assert resumed.resumed_at_step == step - 1
    assert weights(resumed) == weights(unbroken)
    assert resumed.history == unbroken.history


def test_a_killed_training_goes_on_to_the_same_bytes(
    method: str, unbroken: RunResult, start: StartingPoint, tiny_model: Path, tmp_path: Path
) -> None:
    out, kept = tmp_path / "a", tmp_path / "kept"
    paths = [tiny_model, start.base_dir, start.adapter, out, kept]
    command = [
        sys.executable,
        "-m",
        "tests.support.interrupted_training",
        method,
        *map(str, paths),
        "4",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout is not None
        assert training.stdout.readline() == "there\n"
        training.kill()
    resumed = run(method, start, out, ignore, kept)
    assert resumed.resumed_at_step == 3
    assert weights(resumed) == weights(unbroken)
    assert resumed.history == unbroken.history


def unsealed(checkpoint: Path) -> None:
    (checkpoint / SEAL).unlink()


def shortened(checkpoint: Path) -> None:
    optimizer = checkpoint / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:100])


def without_a_file(checkpoint: Path) -> None:
    (checkpoint / "trainer_state.json").unlink()


@pytest.mark.parametrize("harm", [unsealed, shortened, without_a_file])
def test_a_half_written_checkpoint_is_removed_and_the_one_before_resumed(
    harm: Callable[[Path], None], start: StartingPoint, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    with pytest.raises(PowerCutError):
        run("dpo", start, tmp_path / "a", cut_at(5), kept)
    harm(kept / "checkpoint-4")
    with pytest.raises(PowerCutError):
        run("dpo", start, tmp_path / "a", cut_at(4), kept)
    assert [folder.name for folder in kept.glob("checkpoint-*")] == ["checkpoint-3"]


def test_a_checkpoint_of_another_training_is_not_resumed(
    start: StartingPoint, tmp_path: Path
) -> None:
    with pytest.raises(PowerCutError):
        run("kto", start, tmp_path / "a", cut_at(5), tmp_path / "kept")
    assert run("dpo", start, tmp_path / "a", ignore, tmp_path / "kept").resumed_at_step == 0


def test_two_checkpoints_are_kept_and_none_when_the_adapter_is_saved(
    start: StartingPoint, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    with pytest.raises(PowerCutError):
        run("dpo", start, tmp_path / "a", cut_at(5), kept)
    assert sorted(kept.glob(f"*/{SEAL}")) == [
        kept / "checkpoint-3" / SEAL,
        kept / "checkpoint-4" / SEAL,
    ]
    assert not list(kept.glob("*/ref"))  # the reference is the parent, read again
    run("dpo", start, tmp_path / "a", ignore, kept)
    assert list(kept.iterdir()) == []


def test_a_training_that_stops_early_resumes_to_the_same_bytes(
    start: StartingPoint, tmp_path: Path
) -> None:
    unbroken = run("dpo", start, tmp_path / "u", ignore, patience=2)
    with pytest.raises(PowerCutError):
        run("dpo", start, tmp_path / "a", cut_at(3), tmp_path / "kept", patience=2)
    resumed = run("dpo", start, tmp_path / "a", ignore, tmp_path / "kept", patience=2)
    assert (resumed.resumed_at_step, resumed.kept_step) == (2, unbroken.kept_step)
    assert weights(resumed) == weights(unbroken)
    assert resumed.evaluations == unbroken.evaluations
