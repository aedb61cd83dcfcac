"""Triggers: what a character says when something happens, without a player's line. Pure.

An author lists them in `persona.yaml`; several may wait for one event, under different conditions.
The game names the event, and of those that may fire the one with the highest priority does.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from personas.authored_fields import Closed, Id, Text
from personas.conditions import parse
from personas.lore.entries import ConditionText
from personas.variables import Values

MAX_TRIGGERS = 64
LONGEST_COOLDOWN_S = 604_800.0  # a week


class Trigger(Closed):
    """One thing that a character may say at an event."""

    event: Id = Field(description="The event, as the game names it.")
    happens: Text | None = Field(
        default=None, description="What is told to the character; left out, the game tells it."
    )
    instruction: Text | None = Field(
        default=None, description="What to make of it, told for this line: You warn them."
    )
    say_verbatim: Annotated[tuple[Text, ...], Field(max_length=16)] = Field(
        default=(), description="Said word for word, one of them, in place of a line of its own."
    )
    when: ConditionText = Field(
        default="", description="A condition on the state of the world; left out: always."
    )
    cooldown_s: float = Field(
        default=0,
        ge=0,
        le=LONGEST_COOLDOWN_S,
        description="Seconds in one conversation until it may fire again.",
    )
    probability: float = Field(default=1, gt=0, le=1, description="How likely it fires.")
    priority: int = Field(
        default=0, ge=-100, le=100, description="Of several that may fire the highest does."
    )

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        if self.say_verbatim and self.instruction:
            raise ValueError(
                "`instruction` is for a line of its own; with `say_verbatim` it has none"
            )
        return self

    @property
    def texts(self) -> list[tuple[str, str]]:
        """What the character reads or says, by key."""
        told = [("happens", self.happens), ("instruction", self.instruction)]
        said = (("say_verbatim", text) for text in self.say_verbatim)
        return [*((key, text) for key, text in told if text), *said]

    @property
    def mark(self) -> str:
        """What it is known by in save games: equal for triggers that say the same."""
        said = self.model_dump_json(exclude_defaults=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def is_met(self, values: Values) -> bool:
        """Whether its condition holds; of a variable that has no value nothing holds."""
        if not self.when:
            return True
        condition = parse(self.when)
        return condition.names <= values.keys() and condition.holds(values)


Triggers = Annotated[tuple[Trigger, ...], Field(max_length=MAX_TRIGGERS)]


class Quiet(StrEnum):
    """Why nothing is said at an event, from the first thing asked to the last."""

    CONDITION = "condition"
    """No condition holds."""
    COOLDOWN = "cooldown"
    """It was said lately."""
    CHANCE = "chance"
    """The draw went against it."""


@dataclass(frozen=True)
class Circumstances:
    """What decides which trigger fires."""

    values: Values  # of the world
    rested_s: Callable[[int], float]  # since the trigger of this number fired; inf = it never did
    draw: Callable[[], float]  # from 0 up to 1, another one each time


def rested_s(fired_at_s: Mapping[Trigger, float], now_s: float) -> dict[str, float]:
    """Seconds since triggers fired, by their marks, for a save game; of those that still rest."""
    ages = {trigger: now_s - at_s for trigger, at_s in fired_at_s.items()}
    return {one.mark: age for one, age in ages.items() if age < one.cooldown_s}


def fired_at_s(
    triggers: Iterable[Trigger], rested: Mapping[str, float], now_s: float
) -> dict[Trigger, float]:
    """The inverse of `rested_s` at another time; a trigger that was rewritten has not fired."""
    return {one: now_s - rested[one.mark] for one in triggers if one.mark in rested}


def firing(triggers: Sequence[Trigger], event: str, at: Circumstances) -> int | Quiet | None:
    """The number of the trigger that fires, or why none does; None = none waits for this event.

    They are asked by priority, and of equal ones the first in the file. Where none fires, the
    reason is that of the one that came nearest to it.
    """
    waiting = [number for number, one in enumerate(triggers) if one.event == event]
    nearest: Quiet | None = None
    for number in sorted(waiting, key=lambda number: -triggers[number].priority):
        why = _hindrance(number, triggers[number], at)
        if why is None:
            return number
        nearest = max((why, nearest or why), key=list(Quiet).index)
    return nearest


def _hindrance(number: int, trigger: Trigger, at: Circumstances) -> Quiet | None:
    if not trigger.is_met(at.values):
        return Quiet.CONDITION
    if at.rested_s(number) < trigger.cooldown_s:
        return Quiet.COOLDOWN
    if trigger.probability < 1 and at.draw() >= trigger.probability:
        return Quiet.CHANCE
    return None
