"""Patterns of lore: those that could take for ever are refused, and no text makes one slow."""

from __future__ import annotations

import time

import pytest

from personas.lore.patterns import PatternRefusedError, PatternSet, check_pattern


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("(?=mill)", "(?= looks around, which is not possible here"),
        (r"(mill)\1", r"\1 refers back, which is not possible here"),
        ("(a{900}){900}", "repeats too much"),
        ("(?:a?){1000}b", "repeats too much"),
        ("mill(", "missing )"),
        ("*", "no argument for repetition"),
        ("x*", "matches where nothing is said"),
    ],
)
def test_a_pattern_that_cannot_be_looked_for_is_refused(pattern: str, what: str) -> None:
    with pytest.raises(PatternRefusedError) as refused:
        check_pattern(pattern)
    assert what in str(refused.value)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(x+x+)+y", r"(\w+\s?)+!", r"(a|aa)+$"])
def test_what_explodes_elsewhere_takes_no_time_here(pattern: str) -> None:
    """By CPU time, and a hundred times what it takes; backtracking would outlast the sun."""
    check_pattern(pattern)
    begun = time.process_time()
    PatternSet([pattern]).places_in("a" * 2000 + "x" * 2000 + "b")
    assert time.process_time() - begun < 1


def test_patterns_are_found_together_in_any_script_and_case() -> None:
    patterns = PatternSet([r"\bmühle\d*", r"(?-i)Gate", r"\p{Han}門", r"stone"])
    assert patterns.places_in("Die MÜHLE7 am gate, 大門") == (0, 2)
    assert PatternSet([]).places_in("anything") == ()
