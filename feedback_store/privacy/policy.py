"""How carefully personal data is told from a game's own words, and which words never are personal.

Frozen, made once when a server starts, and handed to whoever takes text in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from feedback_store.privacy.plain_signs import plain


class Mode(StrEnum):
    """How much is taken out."""

    ON = "on"
    """What the words around it or its form make personal; codes, dials and places stay."""
    STRICT = "strict"
    """All that has the form of personal data, whatever the words around it say."""
    OFF = "off"
    """Nothing: what players write is used and kept as it is."""


_RUN_ON = re.compile(r"(@[^.]+)\.[^\W\d_]+")  # no blank after the full stop
_JOINTS = re.compile(r"[\s@._'’-]+")


@dataclass(frozen=True)
class Policy:
    """What to take out of a text. Make one with `policy`, which brings the names to one form."""

    mode: Mode = Mode.ON
    known: frozenset[str] = frozenset()  # words that never are personal, as `_key` writes them

    def knows(self, found: str) -> bool:
        """Whether a finding is one of the known words, or one and a word: "@mira.where"."""
        if not self.known:
            return False
        run_on = _RUN_ON.fullmatch(found)
        return _key(found) in self.known or (run_on is not None and _key(run_on[1]) in self.known)


CAREFUL = Policy()


def careful() -> Policy:
    """The policy where nothing is set, and nobody's names are known."""
    return CAREFUL


def policy(mode: Mode = Mode.ON, known: Iterable[str] = ()) -> Policy:
    """A policy under which these names, places and handles are never personal.

    Of a name of several words each word is known too: `Captain Orsolo` is called @orsolo.
    """
    names = [name for word in known for name in (word, *word.split())]
    return Policy(mode, frozenset(_key(name) for name in names) - {""})


def _key(name: str) -> str:
    """A name as compared: without @, case, and what joins its words."""
    return _JOINTS.sub("", plain(name).text).casefold()
