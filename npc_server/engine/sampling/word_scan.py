"""Words of a text that comes in pieces, in the form in which they are compared.

Scripts without blanks have no words here: each of their signs counts as the part of a word that it
is on average. Capital letters, full-width forms and how letters are composed do not matter.
"""

from __future__ import annotations

import unicodedata
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from npc_server.engine.sampling.word_beginnings import is_unspaced

WORD = 6  # units of length
_HAN, _KANA, _OTHER_SIGN = 4, 3, 2
_KANA_RANGE = ("\u3041", "\u30ff")
_HAN_RANGE = ("\u2e80", "\U0003ffff")
_APOSTROPHES = "'’ʼ"


class _Kind(Enum):
    LETTER = "part of a word"
    SIGN = "a sign of a script without blanks"
    APOSTROPHE = "ties two words together"
    BORDER = "between words"


class Word(NamedTuple):
    """A word or a sign. `tied`: an apostrophe ties it to the one before, as the t of "don't"."""

    text: str
    length: int = WORD
    tied: bool = False
    start: int = 0  # of its first character in the text


class WordScan:
    """Takes a text apart while it comes; the last word is open until something else follows."""

    def __init__(self) -> None:
        self._open, self._open_at = "", 0
        self._tie = self._tied = False  # an apostrophe is behind a word; the open word is behind it
        self._characters = 0

    def copy(self) -> WordScan:
        """One that goes on from here by itself."""
        other = WordScan()
        other._open, other._open_at, other._characters = self._open, self._open_at, self._characters
        other._tie, other._tied = self._tie, self._tied
        return other

    @property
    def open(self) -> Word | None:
        """The word that may go on."""
        return Word(fold(self._open), WORD, self._tied, self._open_at) if self._open else None

    def push(self, piece: str) -> list[Word]:
        """Add text; returns the words that it completes."""
        complete: list[Word] = []
        for character in piece:
            kind = _kind(character)
            if kind is _Kind.LETTER:
                self._lengthen(character)
            else:
                complete += self._close(kind)
            if kind is _Kind.SIGN:
                complete.append(Word(character, _sign_length(character), False, self._characters))
            self._characters += 1
        return complete

    def _lengthen(self, letter: str) -> None:
        if not self._open:
            self._open_at, self._tied = self._characters, self._tie
        self._open += letter

    def _close(self, kind: _Kind) -> list[Word]:
        word = self.open
        self._tie = kind is _Kind.APOSTROPHE and word is not None
        self._open = ""
        return [word] if word else []


class Shape(NamedTuple):
    """What a piece adds, whatever is before it."""

    words: int  # and signs
    length: int  # of the last of them
    goes_on: bool  # it begins with a letter


@lru_cache(maxsize=1 << 14)
def shape_of(piece: str) -> Shape:
    """What a piece adds."""
    scan = WordScan()
    words = [*scan.push(piece), *([scan.open] if scan.open else [])]
    length = words[-1].length if words else 0
    return Shape(len(words), length, bool(piece) and _kind(piece[0]) is _Kind.LETTER)


@lru_cache(maxsize=4096)
def fold(word: str) -> str:
    """The form of a word in which it is compared."""
    return word.lower() if word.isascii() else unicodedata.normalize("NFKC", word.casefold())


@lru_cache(maxsize=4096)
def _kind(character: str) -> _Kind:
    category = unicodedata.category(character)
    if is_unspaced(character):
        return _Kind.SIGN if category[0] == "L" else _Kind.BORDER
    if category[0] in "LMN":
        return _Kind.LETTER
    return _Kind.APOSTROPHE if character in _APOSTROPHES else _Kind.BORDER


def _sign_length(sign: str) -> int:
    if _KANA_RANGE[0] <= sign <= _KANA_RANGE[1]:
        return _KANA
    return _HAN if _HAN_RANGE[0] <= sign <= _HAN_RANGE[1] else _OTHER_SIGN
