"""What replies say about a server."""

from __future__ import annotations

import pytest

from benchmarks.measures import (
    Estimate,
    Round,
    TimedReply,
    gaps_across_ms,
    gaps_ms,
    percentile,
    ratio,
    tokens_per_s,
    tokens_per_s_after_first,
    ttfts_ms,
)


def spoken(asked_s: float, arrived_s: tuple[float, ...], ended_s: float) -> TimedReply:
    return TimedReply(0, "c000", asked_s, arrived_s, ended_s, len(arrived_s))


TWO = Round((spoken(10.0, (10.5, 10.75, 11.5), 12.0), spoken(11.0, (11.5, 13.5), 14.0)))


def test_speed_counts_from_the_first_question_to_the_last_end() -> None:
    assert tokens_per_s(TWO) == 5 / 4


def test_speed_after_the_first_text_leaves_prompts_and_first_tokens_out() -> None:
    assert tokens_per_s_after_first(TWO) == 3 / 3.5


def test_first_token_times_count_from_each_question() -> None:
    assert ttfts_ms(TWO) == [500, 500]


def test_gaps_stay_within_replies() -> None:
    assert gaps_ms(TWO) == [250, 750, 2000]


def test_gaps_across_a_time_are_those_that_touch_it() -> None:
    assert gaps_across_ms([0.0, 1.0, 3.0, 4.0, 8.0], 2.0, 3.5) == [2000, 1000]


@pytest.mark.parametrize(("share", "value"), [(0.01, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert percentile([float(i) for i in range(100, 0, -1)], share) == value


def test_a_ratio_compares_medians_and_spreads_over_paired_rounds() -> None:
    assert ratio([2.0, 8.0, 4.0], [1.0, 2.0, 4.0]) == Estimate(4.0 / 2.0, 1.0, 4.0)
