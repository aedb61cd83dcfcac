"""Which trigger fires at an event, and why none does."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from personas.triggers import Circumstances, Quiet, Trigger, firing


def bell(**keys: Any) -> Trigger:
    return Trigger(event="bell", happens="The bell rings.", **keys)


def fires(
    *triggers: Trigger, rested_s: float = math.inf, draw: float = 0.5, **values: Any
) -> int | Quiet | None:
    flood = {"quest.flood": values["flood"]} if "flood" in values else {}
    at = Circumstances(flood, lambda _: rested_s, lambda: draw)
    return firing(triggers, "bell", at)


def test_of_several_the_one_with_the_highest_priority_fires_and_of_equal_ones_the_first() -> None:
    assert fires(bell(), bell(priority=1), bell(priority=1)) == 1


def test_a_trigger_waits_for_its_event_alone() -> None:
    assert fires(Trigger(event="rain", happens="It rains.")) is None


def test_a_trigger_fires_when_its_condition_holds() -> None:
    waiting = bell(when="quest.flood >= 1")
    assert fires(waiting, flood=1) == 0
    assert fires(waiting, flood=0) is Quiet.CONDITION
    assert fires(waiting) is Quiet.CONDITION
    assert fires(waiting, bell(priority=-1), flood=0) == 1


def test_a_trigger_rests_for_its_cooldown() -> None:
    assert fires(bell(cooldown_s=60), rested_s=59) is Quiet.COOLDOWN
    assert fires(bell(cooldown_s=60), rested_s=60) == 0


def test_a_trigger_fires_as_often_as_its_probability_says() -> None:
    assert fires(bell(probability=0.5), draw=0.5) is Quiet.CHANCE
    assert fires(bell(probability=0.6), draw=0.5) == 0


def test_the_reason_is_that_of_the_trigger_that_came_nearest_to_firing() -> None:
    never, seldom = bell(when="quest.flood >= 1", priority=9), bell(probability=0.1)
    assert fires(never, seldom, flood=0) is Quiet.CHANCE


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"when": "quest.flood >="}, "ends where"),
        ({"say_verbatim": ("Flood!",), "instruction": "You warn them."}, "has none"),
        ({"probability": 0}, "greater than 0"),
        ({"cooldown_s": -1}, "greater than or equal to 0"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused(keys: dict[str, Any], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        bell(**keys)
