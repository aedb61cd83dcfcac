"""Records of runs: unique numbers, whole files, and reading what is half there."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.run_records import ENDING, TERMS
from trainer.errors import DiskError, RecordError, UnknownRunError
from trainer.nightly import disk
from trainer.progress import RunResult
from trainer.recipes.recipe import Upkeep
from trainer.records import runs
from trainer.records.entries import Ending, Nearness, State, Terms, Trained
from trainer.records.run_tables import app
from trainer.records.runs import Run


def ended(root: Path) -> Run:
    run = runs.begin(root, "mira")
    run.write(TERMS)
    run.write(ENDING)
    return run


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_numbers_are_unique_across_characters(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda i: runs.begin(tmp_path, f"c{i % 3}").number, range(24)))
    assert sorted(begun) == list(range(1, 25))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    run = ended(tmp_path)
    assert run.read(Terms) == TERMS
    found = run.read(Ending)
    assert (found.state, found.reasons, found.settled) == (
        State.REJECTED,
        ENDING.reasons,
        True,
    )


def test_a_stage_that_is_not_finished_is_none(tmp_path: Path) -> None:
    assert runs.begin(tmp_path, "mira").find(Terms) is None


def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    run = ended(tmp_path)
    (run.folder / "job.json").write_text('{"character": ')
    with pytest.raises(RecordError, match=r"job\.json"):
        run.read(Terms)


def test_an_unknown_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError, match="no run 9"):
        runs.by_number(tmp_path, 9)


def test_half_and_damaged_runs_are_listed_too(tmp_path: Path) -> None:
    ended(tmp_path)
    runs.begin(tmp_path, "fenn")
    (ended(tmp_path).folder / "run.json").write_text("not json")
    (tmp_path / "notes").mkdir()
    listed = json.loads(printed("list", f"--runs={tmp_path}", "--json"))
    assert [row["state"] for row in listed] == ["rejected", "unfinished", "unreadable"]
    assert "unreadable" in printed("list", f"--runs={tmp_path}")
    assert "fenn" in printed("show", "2", f"--runs={tmp_path}")


def test_one_run_is_shown_with_settings_counts_and_curves(tmp_path: Path) -> None:
    ended(tmp_path)
    shown = printed("show", "1", f"--runs={tmp_path}")
    for part in ("60 train pairs", "2 tie", '"rank": 16', "preference: 0.5", "loss", "█"):
        assert part in shown
    told = json.loads(printed("show", "1", f"--runs={tmp_path}", "--json"))
    assert told["job"]["snapshot_hash"] == TERMS.snapshot_hash
    assert told["distance"] is None


def test_what_was_taken_back_of_a_training_is_told(tmp_path: Path) -> None:
    run = ended(tmp_path)
    taught = RunResult(run.candidate, rows=1, refused_too_long=0, steps=1, train_s=1, history=())
    run.write(Trained(taught, "c" * 64, 1.0, Nearness(trained_kl=0.3, scale=0.5)))
    assert "scaled to 0.50" in printed("show", "1", f"--runs={tmp_path}")
    told = json.loads(printed("show", "1", f"--runs={tmp_path}", "--json"))
    assert told["distance"] == {"trained_kl": 0.3, "scale": 0.5}


def test_old_candidates_go_first_and_records_stay(tmp_path: Path) -> None:
    finished = [ended(tmp_path) for _ in range(3)]
    for run in finished:
        run.candidate.mkdir()
        (run.candidate / "adapter_model.safetensors").write_bytes(b"x" * 1000)
        run.head.mkdir()
    disk.make_room(tmp_path, Upkeep(kept_runs=1))
    assert [run.candidate.exists() for run in finished] == [False, False, True]
    assert [run.head.exists() for run in finished] == [False, False, True]
    disk.make_room(tmp_path, Upkeep(kept_runs=1, disk_gib=1e-7))
    assert not finished[2].candidate.exists()
    assert all(run.read(Ending).state is State.REJECTED for run in finished)


def test_a_disk_that_refuses_becomes_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(RecordError, match="the record could not be written"),
        runs.name_disk_errors("the record"),
    ):
        runs.begin(tmp_path / "file" / "runs", "mira")
    with pytest.raises(DiskError), runs.name_disk_errors("the record"):
        raise DiskError("too little room")


def test_too_little_room_is_told_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"may need \d+ MiB, and .* has \d+ MiB left"):
        disk.require_room(tmp_path / "runs", 1 << 60, "a run")


def test_a_run_needs_more_for_a_higher_rank(tiny_model: Path) -> None:
    assert 0 < disk.run_bytes(tiny_model, 4) < disk.run_bytes(tiny_model, 8)
