"""When a new base may stand in for the one it came from."""

from collections.abc import Iterable
from dataclasses import replace

from trainer.gate import Thresholds
from trainer.own_base.fitness import Fitness, Surprise, judge

LIMITS = Thresholds()


def surprises(character: str, count: int, change: float) -> Iterable[Surprise]:
    for i in range(count):
        before = 2.0 + 0.1 * (i % 5)
        yield Surprise(character, f"player-{i % 6}", before, before + change + 0.01 * (i % 3))


GOOD = Fitness((*surprises("ada", 12, -0.5), *surprises("bo", 12, -0.4)), 20.0, 21.0)


def reasons(found: Fitness) -> list[str]:
    """The failed rules' names."""
    return [row.name for row in judge(found, ["ada", "bo"], LIMITS).rows if not row.passed]


def test_a_base_that_learned_and_forgot_nothing_passes() -> None:
    assert reasons(GOOD) == []


def test_nothing_learned_is_refused() -> None:
    same = tuple(replace(one, after=one.before) for one in GOOD.surprises)
    assert reasons(replace(GOOD, surprises=same)) == ["held-out edits"]


def test_one_character_that_loses_is_named() -> None:
    worse = (*surprises("ada", 12, -0.9), *surprises("bo", 12, 0.3))
    assert reasons(replace(GOOD, surprises=worse)) == ["held-out edits of bo"]


def test_worse_english_is_refused() -> None:
    assert reasons(replace(GOOD, perplexity_after=20.0 * LIMITS.max_perplexity + 0.1)) == [
        "perplexity"
    ]


def test_too_few_held_out_edits_prove_nothing() -> None:
    few = replace(GOOD, surprises=tuple(surprises("ada", LIMITS.min_margins - 1, -0.5)))
    assert reasons(few) == ["held-out edits"]


def test_a_character_nobody_corrected_is_no_reason_against_it() -> None:
    ada = replace(GOOD, surprises=tuple(surprises("ada", 12, -0.5)))
    assert reasons(ada) == []
