"""Rows that prefer what the gate forbids: players shape a character within its designer's wishes.

A hostile player corrects replies into a machine's talk, a careless one likes a reply that gives a
secret away. What such a row teaches would be held against the candidate; it is left out, and
counted, before anything is learned from it or judged by it. Words alone are looked at, as in
`personas.faults`: who means it otherwise says it in others, and meets the gate.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from feedback_store.selection import Snapshot, changed
from feedback_store.selection.lessons import Edited, Labelled, Pair
from feedback_store.selection.likeness import RowT
from personas.faults import Exchange, Fault, find_faults, gravest
from personas.persona import Persona


class Forbidden(StrEnum):
    """Why a row may not be taught."""

    BREAKS_TABOO = "breaks_taboo"
    """What it prefers says a word of one of today's taboos."""
    LEAKS_SECRET = "leaks_secret"
    """What it prefers says a leak word of one of today's secrets."""
    OUT_OF_CHARACTER = "out_of_character"
    """What it prefers talks as a machine, or for the player."""
    UNSAFE_WORDS = "unsafe_words"
    """What it prefers says what no character may say."""


_FORBIDDEN = {
    Fault.LEAK: Forbidden.LEAKS_SECRET,
    Fault.UNSAFE: Forbidden.UNSAFE_WORDS,
    Fault.OUT_OF_CHARACTER: Forbidden.OUT_OF_CHARACTER,
    Fault.TABOO: Forbidden.BREAKS_TABOO,
}


@dataclass(frozen=True)
class Permitted:
    """A snapshot without such rows. Rows are counted; an edit is two, its pair and its text."""

    snapshot: Snapshot
    dropped: Mapping[str, int]  # by Forbidden


def without_forbidden(snapshot: Snapshot, persona: Persona) -> Permitted:
    """The rows that may be taught; the snapshot itself when all may."""
    dropped: Counter[str] = Counter()

    def keep_or_count(row: RowT) -> RowT | None:
        why = _why_not(_preferred_text(row), persona)
        if why is None:
            return row
        dropped[why] += 1
        return None

    return Permitted(changed(snapshot, keep_or_count), dict(dropped))


def _why_not(preferred: str, persona: Persona) -> Forbidden | None:
    fault = gravest(find_faults(Exchange(persona, preferred), _FORBIDDEN))
    return None if fault is None else _FORBIDDEN[fault]


def _preferred_text(row: Pair | Labelled | Edited) -> str:
    """The text that the row teaches to say; "" when it teaches none."""
    match row:
        case Pair(chosen=chosen):
            return chosen
        case Labelled(desirable=False):
            return ""
        case Labelled(completion=completion) | Edited(completion=completion):
            return completion
