"""Checkpoints of an experiment: whole or not there, and gone on from."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.learning.checkpoints import Checkpoints, make_checkpoint
from benchmarks.learning.experiment import AUTO, Experiment, FeedbackKind, TasteName

ONE = Experiment(TasteName.BLUNT, FeedbackKind.MIXED, AUTO, 2)


def left(folder: Path) -> dict[str, str]:
    """Files of a checkpoint, by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def break_off(done: Path) -> None:
    """Leave a checkpoint in the middle."""
    with make_checkpoint(done, before=None) as data:
        (data / "half").write_text("")
        raise KeyboardInterrupt


def test_a_stage_is_the_one_before_it_and_what_was_done_then(tmp_path: Path) -> None:
    evening, morning = tmp_path / "evening", tmp_path / "morning"
    with make_checkpoint(evening, before=None) as data:
        (data / "said").write_text("good day")
    with make_checkpoint(morning, before=evening) as data:
        (data / "learned").write_text("be brief")
    assert left(evening) == {"said": "good day"}
    assert left(morning) == {"said": "good day", "learned": "be brief"}


def test_a_stage_that_broke_off_is_not_there_and_begins_anew(tmp_path: Path) -> None:
    done = tmp_path / "morning"
    with pytest.raises(KeyboardInterrupt):
        break_off(done)
    assert not done.exists()
    with make_checkpoint(done, before=None) as data:
        assert list(data.iterdir()) == []


def test_methods_share_the_first_evening_and_nothing_else(tmp_path: Path) -> None:
    one, other = (Checkpoints(tmp_path, replace(ONE, method=method)) for method in (AUTO, "kto"))
    assert one.after_play(1) == other.after_play(1)
    assert one.after_play(2) != other.after_play(2)
    assert one.after_night(1) != other.after_night(1)


def test_clearing_a_course_leaves_the_first_evening(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, ONE)
    folders = [checkpoints.after_play(1), checkpoints.after_night(1), checkpoints.after_play(2)]
    for folder in folders:
        folder.mkdir(parents=True)
    checkpoints.clear()
    assert [folder.is_dir() for folder in folders] == [True, False, False]
