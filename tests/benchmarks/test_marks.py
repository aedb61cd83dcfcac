"""The figures to reach."""

from __future__ import annotations

from benchmarks.marks import Mark, passed
from benchmarks.measures import Estimate
from benchmarks.serving.figures import MARKS


def test_a_mark_is_reached_at_its_very_bound() -> None:
    exactly = Estimate(2.0, 1.0, 3.0)
    assert passed(Mark("key", "what", at_least=2), exactly)
    assert passed(Mark("key", "what", at_most=2), exactly)
    assert not passed(Mark("key", "what", at_least=2.1), exactly)
    assert not passed(Mark("key", "what", at_most=1.9), exactly)


def test_a_figure_without_a_bound_is_neither_reached_nor_missed() -> None:
    assert passed(Mark("key", "what"), Estimate(1, 1, 1)) is None


def test_no_key_stands_for_two_figures() -> None:
    assert len({mark.key for mark in MARKS}) == len(MARKS)
