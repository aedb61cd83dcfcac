"""How often a head agrees with held-out players, and how sure that is."""

import pytest

from trainer.heads.agreement import JudgedPair, agreement


def judged(*players: tuple[float, ...]) -> list[JudgedPair]:
    by_player = enumerate(players)
    return [JudgedPair(f"p{at}", margin) for at, margins in by_player for margin in margins]


def test_a_tie_is_no_agreement() -> None:
    found = agreement(judged((1.0, -1.0), (0.0, 2.0)))
    assert (found.share, found.pairs, found.players) == (0.5, 4, 2)


def test_rows_of_one_player_prove_less_than_rows_of_many() -> None:
    many = agreement(judged(*[(1.0,)] * 15, *[(-1.0,)] * 5))
    few = agreement(judged((1.0,) * 15, (-1.0,) * 5))
    assert many.share == few.share
    assert few.interval.low < many.interval.low
    assert few.interval.high > many.interval.high


@pytest.mark.parametrize(("margin", "share"), [(1.0, 1.0), (-1.0, 0.0)])
def test_that_all_agree_is_not_certainty(margin: float, share: float) -> None:
    found = agreement(judged(*[(margin,) * 2] * 5))
    assert found.share == share
    assert found.interval.high - found.interval.low == pytest.approx(0.278, abs=0.001)


def test_order_does_not_matter() -> None:
    rows = judged((1.0, -0.5), (0.2,), (0.0, -3.0, 4.0))
    assert agreement(rows) == agreement(rows[::-1])
