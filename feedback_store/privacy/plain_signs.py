"""Text with its disguises taken off, for patterns to read: one plain sign, or none, for each sign.

Wide and mathematical letters, digits of any script, fancy dashes, dots and spaces become their
ASCII sign; what does not show (zero-width characters, combining marks) is left out. Each sign is
read by itself, so the plain form of a piece is a piece of the plain form. Only patterns see it:
what is found is mapped back, and everything else stays as it was written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from languages.visibility import is_unseen

_DOTS = frozenset("。．·․‧･")
_INVISIBLE = frozenset({"Cf", "Mn", "Me"})


@dataclass(frozen=True)
class PlainText:
    """What to match on, and where each of its signs stands in the original."""

    text: str
    origins: Sequence[int]  # one more than signs: the last is the length of the original

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span in the original, invisible signs within and right after it included."""
        return self.origins[start], self.origins[end]


def plain(text: str) -> PlainText:
    """The text as a reader takes it."""
    if text.isascii():
        return PlainText(text, range(len(text) + 1))
    signs = [_plain_sign(sign) for sign in text]
    origins = [place for place, sign in enumerate(signs) if sign]
    return PlainText("".join(signs), [*origins, len(text)])


@lru_cache(maxsize=4096)
def _plain_sign(sign: str) -> str:
    if sign.isascii():
        return sign
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    return _plain_of_category(sign, unicodedata.category(sign))


def _plain_of_category(sign: str, category: str) -> str:
    if category in _INVISIBLE or is_unseen(sign):
        return ""
    if sign in _DOTS:
        return "."
    if category == "Pd" or sign == "\N{MINUS SIGN}":
        return "-"
    if category == "Zs":
        return " "
    folded = unicodedata.normalize("NFKC", sign)
    return folded if len(folded) == 1 and folded.isascii() else sign
