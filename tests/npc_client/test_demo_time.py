"""How long a demo is said to take."""

import pytest

from npc_client.demo_time import (
    MEASURED_CORES,
    MEASURED_FLOPS,
    MEASURED_S,
    Foretold,
    foretell,
    measure_core_flops,
)


def test_where_it_was_measured_the_span_holds_what_was_measured() -> None:
    there = foretell(MEASURED_FLOPS, MEASURED_CORES)
    assert there.least_s < MEASURED_S < there.most_s


def test_half_the_speed_takes_less_than_twice_as_long() -> None:
    there, slower = foretell(MEASURED_FLOPS, 2), foretell(MEASURED_FLOPS / 2, 2)
    assert there.most_s < slower.most_s < 2 * there.most_s


@pytest.mark.parametrize(("fewer", "more"), [(1, 2), (2, 4), (4, 16)])
def test_more_cores_are_quicker_but_not_by_as_much(fewer: int, more: int) -> None:
    few, many = foretell(MEASURED_FLOPS, fewer), foretell(MEASURED_FLOPS, more)
    assert few.most_s * fewer / more < many.most_s < few.most_s


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (Foretold(200, 400), "3 to 7 minutes"),
        (Foretold(100, 130), "about 2 min"),
        (Foretold(1, 2), "about 1 min"),
    ],
)
def test_it_is_said_in_minutes(span: Foretold, said: str) -> None:
    assert str(span) == said


def test_a_core_does_some_operations() -> None:
    assert measure_core_flops() > 1e6
