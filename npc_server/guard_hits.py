"""What the guard found in a turn, and what became of it. No text of anybody. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from feedback_store.records import JSON

GUARD = "guard"  # the key of a turn's annotations


class GuardAction(StrEnum):
    """What was done about a hit."""

    NOTED = "noted"
    """The line went to the character, with a note of what it tries."""
    ANSWERED = "answered"
    """A fallback line answered the line; no model read it."""
    RETRIED = "retried"
    """The reply was drawn again, from where it had been sent to."""
    CUT = "cut"
    """The reply ends behind the whole sentences that had been sent."""
    FELL_BACK = "fell_back"
    """A fallback line took the place of what was withheld."""
    WITHHELD = "withheld"
    """The reply had to have a form, which no fallback line has: it is empty."""


@dataclass(frozen=True)
class GuardHit:
    """One rule that found something."""

    rule: str  # of a line: see `guard.LineRule`; of a reply: a `personas.faults.Fault`
    action: GuardAction


def annotation_of(hits: Iterable[GuardHit]) -> dict[str, JSON]:
    """The hits as a turn is stored with them; {} when there are none."""
    listed: list[JSON] = [{"rule": hit.rule, "action": hit.action.value} for hit in hits]
    return {GUARD: listed} if listed else {}


def is_unread(hits: Iterable[GuardHit]) -> bool:
    """Whether the line was answered without a model: none is to read it later, either."""
    return any(hit.action is GuardAction.ANSWERED for hit in hits)


def is_screened(hits: Iterable[GuardHit]) -> bool:
    """Whether something was found in the line, whatever became of it."""
    return any(hit.action in (GuardAction.NOTED, GuardAction.ANSWERED) for hit in hits)


def hits_in(annotations: Mapping[str, JSON]) -> tuple[GuardHit, ...]:
    """The hits that a turn was stored with; what a later version writes is left out."""
    listed = annotations.get(GUARD, [])
    known = {action.value for action in GuardAction}
    return tuple(
        GuardHit(str(hit["rule"]), GuardAction(str(hit["action"])))
        for hit in (listed if isinstance(listed, list) else [])
        if isinstance(hit, dict) and hit.get("action") in known
    )
