"""What a run leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.marks import CpuKind
from benchmarks.measures import Estimate, Round, TimedReply
from benchmarks.serving import report
from benchmarks.serving.figures import MARKS
from benchmarks.serving.workspace import QUICK, ScenarioResult

SETTING = report.Setting(
    "2026-01-01T00:00:00+00:00", "tiny.gguf", "0" * 64, "", 12.0, QUICK, {}, CpuKind.OTHER
)
ROUND = Round(
    (TimedReply(0, "c000", 5.0, (5.1, 5.15), 5.2, 2), TimedReply(1, "c001", 5.0, (5.2,), 5.3, 1))
)
OUTCOME = ScenarioResult(
    {"zipf_100_over_5": Estimate(0.9, 0.8, 1.0)}, {"ours": [ROUND]}, {"extra_ms": [1.0]}, ["odd"]
)


@pytest.fixture
def written(tmp_path: Path) -> dict[str, object]:
    path = tmp_path / "results" / "serving.json"
    report.write(path, SETTING, {"zipf": OUTCOME, "publish": ScenarioResult({})})
    content: dict[str, object] = json.loads(path.read_text())
    return content


def test_every_mark_has_its_key_measured_or_not(written: dict[str, object]) -> None:
    assert {mark.key for mark in MARKS} <= written.keys()
    assert written["zipf_100_over_5"] == {
        "value": 0.9,
        "low": 0.8,
        "high": 1.0,
        "mark": "at least 0.85",
        "passed": True,
        "what": "tok/s: Zipf traffic on 100 characters / on 5, 16 sequences",
    }
    assert json.loads(json.dumps(written["vs_peft_8"]))["value"] is None


def test_marks_are_those_of_the_cpu_that_is_named(written: dict[str, Any]) -> None:
    assert written["cpu_kind"] == "without AVX-512"
    assert written["vs_llama_server_8"]["mark"] == "at least 2.2"


def test_every_sample_is_kept_in_milliseconds_of_its_round(written: dict[str, object]) -> None:
    samples = json.loads(json.dumps(written["samples"]))["zipf"]
    assert samples["extra_ms"] == [1.0]
    assert samples["rounds"]["ours"][0][0] == {
        "user": 0,
        "character": "c000",
        "asked_ms": 0.0,
        "arrived_ms": [100.0, 150.0],
        "ended_ms": 200.0,
        "tokens": 2,
    }


def test_a_plot_shows_what_there_is(tmp_path: Path) -> None:
    plot = pytest.importorskip(
        "benchmarks.serving.plot", reason="needs matplotlib, the bench extra"
    )
    plot.draw(tmp_path / "serving.png", {"zipf": OUTCOME, "publish": ScenarioResult({})}, "title")
    assert (tmp_path / "serving.png").read_bytes().startswith(b"\x89PNG")
