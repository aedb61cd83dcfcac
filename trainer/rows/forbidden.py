"""Drops rows that prefer what the gate forbids: players shape a character within its design.

A hostile player corrects replies into talk as a machine, a careless one likes a reply that gives a
secret away. The gate would hold such a reply against the candidate, so the row is left out, and
counted, before anything is learned from it or judged by it. Words alone are checked, as in
`personas.faults`; the gate catches what is said in other words.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from feedback_store.selection import Edited, Labelled, Pair, RowT, Snapshot, changed
from personas.faults import Fault, ReplyInContext, find_faults, gravest
from personas.persona import Persona


class Forbidden(StrEnum):
    """Why a row may not be trained on."""

    BLOCKED_WORDS = "blocked_words"
    """Its preferred text has a word that the designer blocked."""
    BREAKS_TABOO = "breaks_taboo"
    """Its preferred text has a word of one of today's taboos."""
    LEAKS_SECRET = "leaks_secret"
    """Its preferred text has a leak word of one of today's secrets."""
    OUT_OF_CHARACTER = "out_of_character"
    """Its preferred text talks as a machine, or for the player."""
    UNSAFE_WORDS = "unsafe_words"
    """Its preferred text has words that no character may say."""


_FORBIDDEN = {
    Fault.LEAK: Forbidden.LEAKS_SECRET,
    Fault.UNSAFE: Forbidden.UNSAFE_WORDS,
    Fault.BLOCKED: Forbidden.BLOCKED_WORDS,
    Fault.OUT_OF_CHARACTER: Forbidden.OUT_OF_CHARACTER,
    Fault.TABOO: Forbidden.BREAKS_TABOO,
}


@dataclass(frozen=True)
class Permitted:
    """A snapshot without forbidden rows. An edit counts twice: as a pair and as a text."""

    snapshot: Snapshot
    dropped: Mapping[str, int]  # by Forbidden


def without_forbidden(snapshot: Snapshot, persona: Persona) -> Permitted:
    """Drop forbidden rows; return the snapshot itself when there are none."""
    dropped: Counter[str] = Counter()

    def keep_or_count(row: RowT) -> RowT | None:
        why = _why_not(_preferred_text(row), persona)
        if why is None:
            return row
        dropped[why] += 1
        return None

    return Permitted(changed(snapshot, keep_or_count), dict(dropped))


def _why_not(preferred: str, persona: Persona) -> Forbidden | None:
    fault = gravest(find_faults(ReplyInContext(persona, preferred), _FORBIDDEN))
    return None if fault is None else _FORBIDDEN[fault]


def _preferred_text(row: Pair | Labelled | Edited) -> str:
    """The text that the row prefers; "" when there is none."""
    match row:
        case Pair(chosen=chosen):
            return chosen
        case Labelled(desirable=False):
            return ""
        case Labelled(completion=completion) | Edited(completion=completion):
            return completion
