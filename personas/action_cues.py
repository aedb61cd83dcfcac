"""Whether a line speaks of an action: its name's words, and what its parameters choose from.

Such words decide nothing. They weigh in with what the model says, which is so small a lead that a
line which happens to name a thing sets nothing off.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from languages.folding import fold
from languages.phrases import mentioned
from languages.recognition import hollow_words, recognise
from languages.tags import primary
from personas.actions import Action

NAMED = 1.0  # nats, for a line with a word of the name
CHOSEN = 0.5  # for one with something that a parameter chooses from


def leads(actions: Iterable[Action], line: str, language: str = "") -> dict[str, float]:
    """What each action is given for the words of a line, in nats, by name.

    `language` is a BCP 47 tag; "" = what the line is plainly written in.
    """
    code = primary(language) or recognise(line) or "en"
    return {one.name: _lead(one, line, code) for one in actions}


def _lead(action: Action, line: str, code: str) -> float:
    named = mentioned(line, _telling(tuple(action.spoken.split()), code), code)
    chosen = mentioned(line, _telling(_choices(action), code), code)
    return NAMED * bool(named) + CHOSEN * bool(chosen)


def _choices(action: Action) -> tuple[str, ...]:
    return tuple(choice for one in action.parameters for choice in one.choices)


@lru_cache(maxsize=1 << 12)
def _telling(words: tuple[str, ...], code: str) -> tuple[str, ...]:
    """Those that mean something by themselves: "over" and "other" do not."""
    hollow = hollow_words(code) | hollow_words("en")
    return tuple(word for word in words if fold(word) not in hollow)
