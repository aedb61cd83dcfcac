"""Something happens in the game, and a character speaks of it without being spoken to.

Which trigger of its persona fires is decided by `personas.triggers`; this is what the character
then reads and says. What happened stays in the conversation, in the place of a player's line and in
square brackets; what the author makes of it, the instruction, is told for this reply alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from feedback_store.privacy.policy import Policy
from feedback_store.privacy.redaction import redact
from npc_server.errors import InvalidRequestError
from npc_server.limits import MAX_LINE_CHARACTERS, check_id, check_short_text
from npc_server.sessions import Cue, Exchange
from personas.known_names import no_such
from personas.notes import direction
from personas.persona import Persona
from personas.triggers import Circumstances, Quiet, Trigger, firing
from personas.variables import Values

MAX_TOLD_CHARACTERS = 300  # of what happens
_SPEAKS_UP = "You speak up."  # where nobody says what happened


@dataclass(frozen=True)
class Happening:
    """What the game reports; one of these at least."""

    event: str = ""  # as triggers of the persona name it
    text: str = ""  # what happened, in place of what the trigger says
    verbatim: str = ""  # what is to be said, whatever triggers there are


@dataclass(frozen=True)
class Surroundings:
    """What decides besides the persona."""

    values: Values  # of the world
    fired_at_s: Mapping[Trigger, float]  # in this conversation
    now_s: float
    seed: int


@dataclass(frozen=True)
class Fired:
    """An exchange that begins, and the trigger that began it; None = the game did."""

    exchange: Exchange
    trigger: Trigger | None
    told: str = ""  # what happened; "" = nobody says


def admissible(happening: Happening, policy: Policy) -> Happening:
    """What happens, as it may be told and said. Raises InvalidRequestError."""
    text, said = happening.text, happening.verbatim
    return Happening(
        happening.event and check_id("event", happening.event),
        text and redact(check_short_text("text", text, MAX_TOLD_CHARACTERS), policy),
        said and redact(check_short_text("verbatim", said, MAX_LINE_CHARACTERS), policy),
    )


def fire(persona: Persona, happening: Happening, at: Surroundings) -> Fired | Quiet:
    """What a character says something to, or why it stays quiet.

    Raises InvalidRequestError for an event that no trigger waits for and that nothing is told of.
    """
    chance = random.Random(at.seed)
    found = None if happening.verbatim else _firing(persona, happening.event, at, chance)
    if isinstance(found, Quiet):
        return found
    if found is None and not (happening.text or happening.verbatim):
        raise InvalidRequestError(_nothing_told(persona, happening.event))
    trigger = None if found is None else persona.triggers[found]
    told = happening.text or (trigger.happens if trigger else None) or ""
    return Fired(_exchange(happening, trigger, told, chance), trigger, told)


def _firing(
    persona: Persona, event: str, at: Surroundings, chance: random.Random
) -> int | Quiet | None:
    def rested_s(number: int) -> float:
        return at.now_s - at.fired_at_s.get(persona.triggers[number], -math.inf)

    return firing(persona.triggers, event, Circumstances(at.values, rested_s, chance.random))


def _exchange(
    happening: Happening, trigger: Trigger | None, told: str, chance: random.Random
) -> Exchange:
    instruction = (trigger.instruction if trigger else None) or ""
    written = trigger.say_verbatim if trigger else ()
    verbatim = happening.verbatim or (chance.choice(written) if written else "")
    asked = " ".join(part for part in (told, instruction) if part) or _SPEAKS_UP
    cue = Cue(happening.event, direction(asked), verbatim)
    return Exchange(direction(told or _SPEAKS_UP), cue=cue)


def _nothing_told(persona: Persona, event: str) -> str:
    if not event:
        return "event, text and verbatim are empty; say what happens, or what is to be said"
    waiting = dict.fromkeys(trigger.event for trigger in persona.triggers)
    named = no_such("trigger", event, waiting)
    return f"{persona.id} has {named}; or tell in text what happened"
