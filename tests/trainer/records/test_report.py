"""A run's page: complete, self-contained, and safe with any text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.run_records import ENDING, TERMS
from trainer.examination.samples import Sample
from trainer.gate import (
    CheckedReply,
    Drift,
    Measurements,
    QuestionKind,
    RuleResult,
    Verdict,
    VoiceReport,
)
from trainer.records import runs
from trainer.records.charts import BINS, histogram, line_chart, sparkline
from trainer.records.entries import Measured
from trainer.records.report import page
from trainer.records.runs import Run

VOID = {"meta", "link", "br", "line", "circle", "polyline", "rect"}
VERDICT = Verdict(
    (
        RuleResult("preference", 0.5, 0.72, "at least 0.6", passed=True),
        RuleResult(
            "probes passed", None, 0.4, "at most 0.05 below", passed=False, note="no <incumbent>"
        ),
    )
)


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.links: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = runs.begin(tmp_path, "mira")
    made.write(TERMS)
    made.write(VERDICT)
    made.write(ENDING)
    return made


def test_a_finished_run_has_every_part_and_nothing_from_elsewhere(run: Run) -> None:
    source = page(run)
    seen = Page(source)
    assert seen.open == []
    assert seen.headings == ["What it was begun on", "Gate", "Training", "Rows", "Settings"]
    assert seen.links == []
    assert re.findall(r"https?://", source) == []
    assert seen.tags.count("svg") == 1


def test_the_gates_reasons_are_escaped(run: Run) -> None:
    assert "no &lt;incumbent&gt;" in page(run)


def test_a_run_that_broke_off_shows_its_error(run: Run) -> None:
    run.write(replace(ENDING, error="Traceback: <oops>"))
    assert "Traceback: &lt;oops&gt;" in page(run)


def test_an_unreadable_part_is_left_out(run: Run) -> None:
    (run.folder / "verdict.json").write_text("?")
    assert "Gate" not in Page(page(run)).headings


def test_what_was_said_is_shown_before_and_after(run: Run) -> None:
    def voice(*words: int) -> VoiceReport:
        said = [
            CheckedReply(f"q{at}", "p", QuestionKind.LINE, count, 0.0, None, {})
            for at, count in enumerate(words)
        ]
        return VoiceReport(tuple(said), None, None)

    drift = Drift(100, 0.0, 0.04, 20.0, 20.0, 21.0)
    found = Measurements(
        voice(40, 50, 60), voice(8, 10, 12), margins=(), chosen_words=None, drift=drift, timings=()
    )
    run.write(Measured(found, (Sample("Who are you?", "A <smith>.", "Mira."),), 1.0))
    source = page(run)
    assert Page(source).headings[-2:] == ["Before and after", "Settings"]
    assert "Words of a reply" in source
    assert "after 0.04" in source
    assert "A &lt;smith&gt;." in source


def test_a_histogram_has_a_column_for_each_voice_and_bin() -> None:
    drawn = histogram("Words", [60, 55, 0], [5, 5, 5])
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"', drawn)]
    assert len(heights) == 2 * BINS
    assert max(heights) == max(heights[BINS:])  # all of the new replies are in one bin


def test_a_gap_in_a_curve_is_a_gap() -> None:
    drawn = line_chart("Loss", [1.0, 0.8, None, 0.5, float("nan"), 0.4])
    assert drawn.count("<polyline") == 1
    assert drawn.count("<circle") == 2


def test_a_curve_without_numbers_is_not_drawn() -> None:
    assert line_chart("Loss", [None, float("nan")]) == ""


def test_a_sparkline_goes_from_low_to_high() -> None:
    assert sparkline([0.0, 1.0, None, 0.5]) == "▁█ ▅"
