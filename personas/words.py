"""Whole-word matching, the same for authored word lists and for replies.

Case, punctuation, hyphens and typographic quotes do not matter: "half-moon" finds "Half Moon",
"Oren" finds "Oren's". Inflections do: list "key" and "keys" when both count.
"""

import re
import unicodedata
from collections.abc import Iterable

from rapidfuzz import fuzz

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text, in order, ready to be compared."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def mentioned(text: str, phrases: Iterable[str]) -> tuple[str, ...]:
    """Those of the phrases that occur in the text as whole words, in their order."""
    said = _with_borders(text)
    return tuple(phrase for phrase in phrases if _with_borders(phrase) in said)


def similarity_percent(one: str, other: str) -> float:
    """How alike two lines are, word by word and letter by letter; 100 = equal words."""
    return fuzz.ratio(" ".join(words(one)), " ".join(words(other)))


def _with_borders(text: str) -> str:
    return f" {' '.join(words(text))} "
