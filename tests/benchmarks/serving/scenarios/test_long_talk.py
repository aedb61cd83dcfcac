"""What is said of a long talk."""

from pathlib import Path

import pytest

from benchmarks.serving import plot
from benchmarks.serving.figures import MARKS
from benchmarks.serving.scenarios.long_talk import WITH_PAUSE, WITHOUT, figures
from benchmarks.serving.workspace import ScenarioResult

EVEN = [100.0] * 60
CLIFF = [100.0] * 15 + [800.0] * 45
STEPS = [500.0 if turn % 6 == 5 else 100.0 for turn in range(60)]


@pytest.mark.parametrize(
    ("waits", "middle", "slow"),
    [
        pytest.param(EVEN, 1, 1, id="even"),
        pytest.param(CLIFF, 8, 8, id="cliff"),
        pytest.param(STEPS, 1, 5, id="steps"),
    ],
)
def test_late_turns_are_compared_with_early_ones(
    waits: list[float], middle: float, slow: float
) -> None:
    found = figures(waits, EVEN)
    assert found["long_talk_ttft"].value == middle
    assert found["long_talk_ttft_p95"].value == slow
    assert found["long_talk_ttft_no_pause"].value == 1


def test_every_figure_of_the_talk_has_a_mark() -> None:
    assert set(figures(EVEN, EVEN)) <= {mark.key for mark in MARKS}


def test_a_talk_alone_is_drawn(tmp_path: Path) -> None:
    result = ScenarioResult({}, samples={WITH_PAUSE: EVEN, WITHOUT: CLIFF})
    plot.draw(tmp_path / "talk.png", {"long_talk": result}, "a talk")
    assert (tmp_path / "talk.png").stat().st_size > 1000
