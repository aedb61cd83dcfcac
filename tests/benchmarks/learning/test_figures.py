"""What the learning benchmark finds, and when a taste counts as learned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.learning.experiment import FeedbackKind, TasteName
from benchmarks.learning.figures import MARKS, figures
from benchmarks.learning.judgement import judge, spread
from benchmarks.measures import Estimate
from npc_client.tastes import BLUNT
from tests.support.experiments import (
    BAD,
    GOOD,
    HALF,
    MACHINE,
    MIRA,
    judgement,
    replies,
    result_of,
)


def test_shares_are_of_replies_and_of_duels() -> None:
    found = judge(BLUNT, MIRA, replies(BAD, HALF, GOOD, HALF), replies(GOOD, HALF, HALF, GOOD))
    assert (found.liked_before.value, found.liked.value) == (0.25, 0.5)
    assert found.gain.value == 0.25
    assert found.preferred.value == (1 + 0.5 + 0 + 1) / 4


def test_nothing_changed_is_half_preferred_and_no_gain() -> None:
    found = judge(BLUNT, MIRA, replies(GOOD, BAD), replies(GOOD, BAD))
    assert (found.preferred.value, found.gain.value, found.perplexity_ratio) == (0.5, 0, 1)


def test_replies_to_probes_count_as_out_of_character_too() -> None:
    found = judge(BLUNT, MIRA, replies(GOOD), replies(GOOD, probes=MACHINE))
    assert found.out_of_character_before == 0
    assert found.out_of_character == pytest.approx(len(MIRA.probes) / (len(MIRA.probes) + 1))


def test_forgetting_is_a_ratio_of_perplexities() -> None:
    before, after = replies(GOOD, perplexity=20), replies(GOOD, perplexity=25)
    assert judge(BLUNT, MIRA, before, after).perplexity_ratio == 1.25


def test_an_interval_is_of_questions_and_holds_the_mean() -> None:
    found = spread([0.0, 1.0] * 20)
    assert found.value == 0.5
    assert 0.3 < found.low < 0.4
    assert 0.6 < found.high < 0.7


@pytest.mark.parametrize(
    ("changes", "learned"),
    [
        pytest.param({}, True, id="all-reached"),
        pytest.param({"gain": Estimate(0.19, 0, 1)}, False, id="too-little-gain"),
        pytest.param({"preferred": Estimate(0.69, 0, 1)}, False, id="too-little-preferred"),
        pytest.param({"probes": 0.69}, True, id="probes-within-two-points"),
        pytest.param({"probes": 0.67}, False, id="probes-lost"),
    ],
)
def test_a_taste_is_learned_when_everything_moved_and_the_persona_stayed(
    changes: dict[str, object], learned: bool
) -> None:
    assert judgement(**changes).learned is learned  # type: ignore[arg-type]  # any field


def test_every_figure_has_its_mark() -> None:
    every = [result_of(taste, 0.5, 0.5, 0.5) for taste in TasteName]
    assert set(figures(every)) == {mark.key for mark in MARKS}


def test_variations_on_blunt_players_are_no_tastes_of_their_own() -> None:
    every = [result_of(taste, 0.5) for taste in TasteName]
    assert figures(every)["tastes_learned"].value == len(TasteName) - 2


def test_the_worst_taste_tells_what_is_left_after_three_nights() -> None:
    found = figures(
        [
            result_of(TasteName.BLUNT, 0.5, 0.6, 0.6),
            result_of(TasteName.PLAIN, 0.5, 0.1, 0.2),
        ]
    )
    assert found["kept_after_night_3"].value == pytest.approx(-0.3)


def test_a_taste_never_learned_cannot_be_lost() -> None:
    assert "kept_after_night_3" not in figures([result_of(TasteName.BLUNT, 0.1, 0.1, 0.0)])


def test_adversaries_are_measured_by_replies_out_of_character() -> None:
    found = figures([result_of(TasteName.ADVERSARIES, 0.5)])["adversaries_gain"]
    assert found.value == pytest.approx(-0.01)


def test_other_kinds_of_feedback_are_left_out() -> None:
    other = replace(result_of(TasteName.BLUNT, 0.5), kind=FeedbackKind.EDITS)
    assert figures([other]) == {}
