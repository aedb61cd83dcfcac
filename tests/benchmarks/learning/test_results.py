"""What the learning benchmark writes down and goes on from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.learning import plot, results, summary
from benchmarks.learning.experiment import AUTO, Experiment, FeedbackKind, TasteName
from benchmarks.learning.installation import QUICK, Workspace
from benchmarks.learning.nights import ExperimentResult
from benchmarks.learning.portions import Portion, Portions
from benchmarks.learning.results import Results
from benchmarks.learning.runner import Clock, ExperimentRunner, conditions
from tests.support.experiments import (
    BAD,
    MIRA,
    judgement,
    night_result,
    replies,
    result_of,
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    found = Results("same", replies(BAD)).with_result("x", result_of(TasteName.BLUNT, 0.5, 0.4))
    found = found.with_portions(Portions("blunt", (Portion(12, judgement(), 9.0),)))
    results.write(tmp_path / "learning.json", "base.gguf", found)
    assert results.read(tmp_path / "learning.json", "same") == found


def test_under_other_conditions_everything_is_new(tmp_path: Path) -> None:
    results.write(tmp_path / "learning.json", "base.gguf", Results("those", replies(BAD)))
    assert results.read(tmp_path / "learning.json", "these") == Results("these")


def test_a_damaged_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "learning.json").write_text("{")
    with pytest.raises(BenchmarkError, match="move it away"):
        results.read(tmp_path / "learning.json", "these")


def test_more_nights_than_known_are_still_to_be_done() -> None:
    one = Experiment(TasteName.BLUNT, FeedbackKind.MIXED, AUTO, 2)
    found = Results("same").with_result(one.name, result_of(TasteName.BLUNT, 0.5, 0.5))
    assert found.has(one)
    assert not found.has(replace(one, nights=3))
    assert not found.has(replace(one, taste=TasteName.PLAIN))


def test_a_missing_part_is_still_to_be_tried() -> None:
    found = Results("same").with_portions(Portions("blunt", (Portion(12, judgement(), 9.0),)))
    assert found.has_portions("blunt", [12])
    assert not found.has_portions("blunt", [12, 24])


def test_a_rejection_is_told_by_the_rules_that_were_broken() -> None:
    rejected = ExperimentResult(
        "blunt", "mixed", AUTO, (night_result(1, judgement(), "rejected"),), ()
    )
    found = Results("same").with_result("blunt/mixed/auto", rejected)
    assert list(summary.rejections(found)) == ["blunt/mixed/auto, night 1: rejected: preference"]
    assert summary.table(found).row_count == 1


def test_a_refused_candidate_has_a_line_of_its_own(tmp_path: Path) -> None:
    refused = replace(night_result(1, judgement(0.0), "rejected"), refused=judgement(0.6))
    result = ExperimentResult("blunt", "mixed", AUTO, (refused,), ())
    found = Results("same", replies(BAD)).with_result("blunt/mixed/auto", result)
    assert summary.table(found).row_count == 2
    results.write(tmp_path / "learning.json", "base.gguf", found)
    assert results.read(tmp_path / "learning.json", "same") == found
    plot.draw(tmp_path / "learning", found, "a title")
    assert (tmp_path / "learning.png").stat().st_size > 0


def test_pictures_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    plot.draw(tmp_path / "none", Results("same"), "title")
    some = Results("same").with_result("x", result_of(TasteName.BLUNT, 0.5, 0.4))
    some = some.with_portions(Portions("blunt", (Portion(12, judgement(), 9.0),)))
    plot.draw(tmp_path / "some.quick", some, "title")
    assert {path.name for path in tmp_path.iterdir()} == {"some.quick.png"}


def test_a_quick_run_keeps_its_results_apart(tiny_model: Path, tmp_path: Path) -> None:
    workspace = Workspace(tiny_model, tmp_path, tmp_path, MIRA, QUICK, lambda *_: None)
    quick = ExperimentRunner(workspace, tmp_path / "learning.quick", False, Clock(0), Console())
    assert quick.file.name == "learning.quick.json"


async def test_what_is_done_is_not_done_again(tiny_model: Path, tmp_path: Path) -> None:
    workspace = Workspace(tiny_model, tmp_path, tmp_path, MIRA, QUICK, lambda *_: None)
    one = Experiment(TasteName.BLUNT, FeedbackKind.MIXED, AUTO, 1)
    known = Results(conditions(workspace), replies(BAD))
    known = known.with_result(one.name, result_of(TasteName.BLUNT, 0.5))
    results.write(tmp_path / "learning.json", "base.gguf", known)
    runner = ExperimentRunner(workspace, tmp_path / "learning", False, Clock(0), Console())
    await runner.run([one], [])
    assert runner.results == known
    assert not (tmp_path / "bare").exists()  # no server was started


async def test_what_would_end_after_the_budget_is_not_begun(
    tiny_model: Path, tmp_path: Path
) -> None:
    workspace = Workspace(tiny_model, tmp_path, tmp_path, MIRA, QUICK, lambda *_: None)
    results.write(tmp_path / "learning.json", "x", Results(conditions(workspace), replies(BAD)))
    runner = ExperimentRunner(workspace, tmp_path / "learning", False, Clock(budget_s=1), Console())
    await runner.run([Experiment(TasteName.BLUNT, FeedbackKind.MIXED, AUTO, 3)], [])
    assert runner.notes == ["blunt/mixed/auto was not begun: it would not end within the budget"]
