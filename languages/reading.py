"""A text taken apart: words where a script sets them apart, unbroken runs where it does not. Pure.

Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan write without blanks. Where their words end
only a dictionary knows; every question asked of a text here has an answer without it. A sign of
such a run counts as the part of a word that it is on average, so that lengths compare.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rapidfuzz import fuzz, process

from languages.folding import fold

_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31f0-\u31ff"
_SOUTH_EAST = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecf\u0edc-\u0edf\u0f40-\u0fbc\u1000-\u103f\u104c-\u109f"
    "\u1780-\u17d3\u17dc\u17dd\ua9e0-\ua9ff\uaa60-\uaa7f"
)
#: Signs of scripts without blanks, as the inside of a character class.
UNBROKEN = _HAN + _KANA + _SOUTH_EAST
_HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7fb"
_INDIC = "\u0900-\u0963\u0966-\u096f\u0971-\u0df3"  # vowel signs are no letters to `re`
_TOKEN = re.compile(
    f"[{UNBROKEN}]+|[{_HANGUL}]+|(?:(?![{UNBROKEN}{_HANGUL}])(?:[^\\W_]|[{_INDIC}]))+"
)
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_BLANK_IN_RUN = re.compile(f"(?<=[{UNBROKEN}])\\s+(?=[{UNBROKEN}])")
_FIRST_UNBROKEN = re.compile(f"[{UNBROKEN}]")

_WORD = 6  # units of length; a sign of each kind below is a part of a word
_SIGN = ((re.compile(f"[{_HAN}]"), 4), (re.compile(f"[{_KANA}]"), 3))
_SOUTH_EAST_SIGN = 2


@dataclass(frozen=True)
class Reading:
    """A text's tokens in order: words, and runs of a script without blanks."""

    tokens: tuple[str, ...]

    @cached_property
    def line(self) -> str:
        """All tokens with a blank around each, so that a blank is the border of a word."""
        return f" {' '.join(self.tokens)} "

    @cached_property
    def squeezed(self) -> str:
        """All tokens without blanks."""
        return "".join(self.tokens)

    @cached_property
    def units(self) -> tuple[tuple[str, int], ...]:
        """Words and signs in order, each with its length in sixths of a word."""
        return tuple(unit for token in self.tokens for unit in _units(token))


def is_unbroken(token: str) -> bool:
    """Whether a token is a run of a script that sets no blanks between words."""
    return _FIRST_UNBROKEN.match(token) is not None


def joined_runs(text: str) -> str:
    """The text without blanks where its script has none between words."""
    return text if text.isascii() else _BLANK_IN_RUN.sub("", text)


@lru_cache(maxsize=1024)
def read(text: str) -> Reading:
    """Take a text apart. Punctuation within an unbroken run is no border."""
    folded = fold(text)
    if folded.isascii():
        return Reading(tuple(_ASCII_WORD.findall(folded)))
    tokens: list[str] = []
    for token in _TOKEN.findall(folded):
        if tokens and is_unbroken(token) and is_unbroken(tokens[-1]):
            tokens[-1] += token
        else:
            tokens.append(token)
    return Reading(tuple(tokens))


def words(text: str) -> list[str]:
    """The words and unbroken runs of a text, in order, ready to be compared."""
    return list(read(text).tokens)


def word_count(text: str) -> int:
    """Length of a text in words; where words are not set apart, as many as there would be."""
    tokens = read(text).tokens
    if text.isascii() or not any(map(is_unbroken, tokens)):
        return len(tokens)
    return math.ceil(sum(length for _, length in read(text).units) / _WORD)


def word_runs(text: str, length: int, within: int | None = None) -> list[tuple[str, ...]]:
    """Every run of `length` words, from each word or sign on; `within` looks at the first only."""
    units = read(text).units
    return list(_runs(units, length * _WORD, math.inf if within is None else within * _WORD))


def similarity_percent(one: str, other: str) -> float:
    """How alike two lines are, word by word and letter by letter; 100 = equal words."""
    return fuzz.ratio(read(one).line[1:-1], read(other).line[1:-1])


def similar_texts(
    texts: Iterable[str], others: Iterable[str], least_percent: float
) -> Iterator[tuple[int, int]]:
    """The number of each text, with that of each of the others that is at least so similar."""
    lines = [read(other).line[1:-1] for other in others]
    for number, text in enumerate(texts):
        line = read(text).line[1:-1]
        found = process.extract(
            line, lines, scorer=fuzz.ratio, score_cutoff=least_percent, limit=None
        )
        yield from sorted((number, other) for _, _, other in found)


def _runs(units: Sequence[tuple[str, int]], wanted: int, end: float) -> Iterator[tuple[str, ...]]:
    start, have, begun = 0, 0, 0
    for stop, (_, length) in enumerate(units, 1):
        have += length
        if begun + have > end:
            return
        while have >= wanted:
            yield tuple(text for text, _ in units[start:stop])
            have -= units[start][1]
            begun += units[start][1]
            start += 1


def _units(token: str) -> Iterator[tuple[str, int]]:
    if not is_unbroken(token):
        yield token, _WORD
        return
    sign = ""
    for character in token:
        if sign and not unicodedata.category(character).startswith("M"):
            yield sign, _length(sign)
            sign = ""
        sign += character
    yield sign, _length(sign)


def _length(sign: str) -> int:
    return next((length for kind, length in _SIGN if kind.match(sign)), _SOUTH_EAST_SIGN)
