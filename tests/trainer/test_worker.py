"""The trainer as a process: what starts it, stops it, and ends with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_server.commands.main import app
from personas.adapter_repo import AdapterRepo
from tests.support import tiny_gguf
from tests.support.guard import ENOUGH, FEW, ONLY_PREFERENCE, job_in, play
from tests.support.paths import ROOT
from tests.support.priority import share_with_background
from trainer.base import file_sha256
from trainer.errors import ClaimedError
from trainer.nightly import job as jobs
from trainer.nightly.job import Job
from trainer.records import runs


@pytest.fixture(autouse=True)
def busy_machine_is_shared() -> Iterator[None]:
    with share_with_background():
        yield


@pytest.fixture
def job(tiny_model: Path, base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Enough feedback, and an npc.toml in the working directory under which it is trained on."""
    made = job_in(tmp_path, tiny_model, base_dir)
    data = tmp_path / "data"
    data.mkdir()
    here = replace(
        made,
        store=data / "feedback.db",
        adapters=data / "adapters",
        heads=data / "heads",
        runs=data / "runs",
    )
    play(here, ENOUGH)
    (tmp_path / "npc.toml").write_text(
        f'[model]\nbase = "{here.base}"\n'
        f'[paths]\ncharacters = "{here.characters}"\ncache = "{here.cache}"\n'
        f"[training]\nreward_head = false\n"
        f"[gate]\n{lines(asdict(ONLY_PREFERENCE))}\n"
        f"[night]\n{lines(FEW)}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return here


def lines(table: Mapping[str, object]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in table.items())


def within(seconds: float, seen: Callable[[], bool]) -> bool:
    ends = time.monotonic() + seconds
    while not (found := seen()) and time.monotonic() < ends:
        time.sleep(0.02)
    return found


def being_trained(job: Job) -> bool:
    try:
        with jobs.claim(job):
            return False
    except ClaimedError:
        return True


@pytest.fixture
def night(job: Job, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """Tonight's process, in the middle of a training that would take long."""
    monkeypatch.setenv("NPC_TRAINING_EPOCHS", "50")
    line = [sys.executable, "-m", "npc_server.commands.main", "nightly", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert within(60, lambda: bool(runs.every_begun(job.runs, "bo")))
        assert being_trained(job)
        yield process
        process.kill()  # where the test failed; its training ends with it


@pytest.mark.slow
def test_a_night_that_is_stopped_ends_its_training_too(
    job: Job, night: subprocess.Popen[str]
) -> None:
    night.terminate()
    printed, _ = night.communicate(timeout=30)
    assert night.returncode == 1
    assert [row["state"] for row in json.loads(printed)] == ["unfinished"]
    assert not being_trained(job)
    (run,) = runs.every_unfinished(job.runs, "bo")
    assert run.count_attempt() == 1  # the one that was stopped does not count


@pytest.mark.slow
def test_a_night_that_is_killed_leaves_no_training_behind(
    job: Job, night: subprocess.Popen[str]
) -> None:
    night.kill()
    assert within(30, lambda: not being_trained(job))
    assert len(runs.every_unfinished(job.runs, "bo")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--background"]], ids=["attended", "background"])
def test_ctrl_c_in_a_terminal_leaves_a_run_that_goes_on(
    job: Job, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("NPC_TRAINING_EPOCHS", "50")
    line = [sys.executable, "-m", "npc_server.commands.main", "train", "bo", *options]
    with subprocess.Popen(line, start_new_session=True) as training:
        assert within(60, lambda: bool(runs.every_begun(job.runs, "bo")))
        os.killpg(training.pid, signal.SIGINT)  # as a terminal does: all of the group
        assert training.wait(30) == 130
    (run,) = runs.every_unfinished(job.runs, "bo")
    assert run.count_attempt() == 1


@pytest.mark.slow
def test_another_base_gets_versions_that_are_not_live_and_a_hint(job: Job, tmp_path: Path) -> None:
    other = tiny_gguf.write_model(tmp_path / "other.gguf", seed=1)
    done = CliRunner().invoke(app, ["train", "--all", "--json", f"--base={other}"])
    (ended,) = json.loads(done.stdout)
    assert ended["state"] == "published", ended["reason"]
    repo = AdapterRepo(job.adapters)
    assert repo.aliases("bo").live is None
    assert repo.manifest("bo", ended["version"]).base_sha256 == file_sha256(other)
    assert f"npc adapters promote bo {ended['version']}" in done.stderr
    assert f'base = "{other}"' in done.stderr
