"""How far a difference between two voices may be chance."""

from random import Random

from trainer.gate import Margin, lower_bound
from trainer.gate.estimates import Paired, mean_difference, median


def pairs(shares: tuple[float, float], probes: int, seeds: int, draw: int) -> list[Paired]:
    """Replies of two voices that pass a probe so often, independently."""
    chance = Random(draw)
    old, new = shares
    return [
        Paired(str(probe), float(chance.random() < old), float(chance.random() < new))
        for probe in range(probes)
        for _ in range(seeds)
    ]


def test_few_rows_prove_less_than_many() -> None:
    few = [Margin(f"player-{index}", 1.0) for index in range(8)]
    many = [Margin(f"player-{index}", 1.0) for index in range(80)]
    assert 0.5 < lower_bound(few, 0.95) < lower_bound(many, 0.95) < 1


def test_rows_of_few_players_prove_less_than_rows_of_many() -> None:
    values = [1.0] * 30 + [-1.0] * 10
    clustered = [Margin(str(index // 10), value) for index, value in enumerate(values)]
    spread = [Margin(str(index), value) for index, value in enumerate(values)]
    assert lower_bound(clustered, 0.95) < lower_bound(spread, 0.95)


def test_an_equal_voice_seldom_seems_worse() -> None:
    seeming = [mean_difference(pairs((0.7, 0.7), 4, 8, draw), 0.95) for draw in range(200)]
    worse = [found for found in seeming if found.value < -0.05 and found.high < 0]
    assert len(worse) <= 10


def test_a_clearly_worse_voice_always_seems_so() -> None:
    seeming = [mean_difference(pairs((0.8, 0.2), 4, 8, draw), 0.95) for draw in range(200)]
    assert all(found.value < -0.05 for found in seeming)
    assert sum(found.high < 0 for found in seeming) >= 198


def test_replies_that_agree_within_a_probe_prove_less() -> None:
    clustered = [Paired(str(at // 10), 0.0, float(at < 20)) for at in range(40)]
    spread = [Paired(str(at % 4), 0.0, float(at < 20)) for at in range(40)]
    wide, narrow = mean_difference(clustered, 0.95), mean_difference(spread, 0.95)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert (wide.value, wide.n, wide.clusters) == (0.5, 40, 4)


def test_the_same_numbers_get_the_same_interval() -> None:
    found = pairs((0.5, 0.6), 5, 6, 1)
    assert mean_difference(found, 0.95) == mean_difference(found[::-1], 0.95)


def test_a_median_knows_how_far_it_is_known() -> None:
    found = median([1.0, 1.1, 1.2, 1.3, 9.0], 0.95)
    assert found.value == 1.2
    assert found.low < 1.2 < found.high
