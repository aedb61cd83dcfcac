"""The figures to reach."""

from __future__ import annotations

from benchmarks.marks import CpuKind, Mark, passed
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


def test_a_cpu_without_avx512_has_a_bound_of_its_own_where_one_is_given() -> None:
    mark = Mark("key", "what", 2.4, without_avx512=2.2)
    assert [mark.on(cpu).bound for cpu in CpuKind] == ["at least 2.4", "at least 2.2"]
    assert Mark("key", "what", 0.9).on(CpuKind.OTHER).bound == "at least 0.9"


def test_no_key_stands_for_two_figures() -> None:
    assert len({mark.key for mark in MARKS}) == len(MARKS)
