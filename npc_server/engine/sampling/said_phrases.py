"""Phrases that were said before, and the words that would say them again. Pure.

A phrase is four words in a row, or as many signs as make four words. Of a reply's phrases no more
than a share may be in one earlier line, wherever it ends: so the share is kept from word to word,
and the word that would exceed it is refused where it begins. "Don't" is two words ("don", "t"), as
replies are compared; it is refused as a whole, since half of it is no word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from npc_server.engine.sampling.word_scan import WORD, Word, WordScan, shape_of

_PHRASE = 4 * WORD
_LONGEST_PHRASE = 12  # in the shortest signs
_TINY = 1e-9  # a fifth of five is one
Before = tuple[str, ...]
Words = Mapping[str, int]  # with how many of its characters show that it is going to be the word
Follows = Mapping[Before, Words]


@dataclass(frozen=True)
class SaidLine:
    """An earlier line: what follows what in it.

    A word shows by as many characters as its first token has.
    """

    ends: Follows  # the words that end a phrase, by those before
    heads: Follows  # likewise the words to which the end of a phrase is tied
    short: Before = ()  # all words of a line that has no phrase


@dataclass
class _Reading:
    words: list[Word] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)  # by word: characters that show it


def read_line(pieces: Sequence[str]) -> SaidLine:
    """Read a line that is written in such pieces, a token each."""
    reading = _read(pieces)
    ends: dict[Before, dict[str, int]] = {}
    heads: dict[Before, dict[str, int]] = {}
    for last, word in enumerate(reading.words):
        first = _first_of_phrase(reading.words, last)
        if first is None:
            continue
        _note(ends, reading, first, last)
        head = last
        while reading.words[head].tied:
            head -= 1
        if word.tied and first <= head:
            _note(heads, reading, first, head)
    short = () if ends else tuple(word.text for word in reading.words)
    return SaidLine(ends, heads, short)


def _read(pieces: Sequence[str]) -> _Reading:
    scan, reading, borders, length = WordScan(), _Reading(), list[int](), 0
    for piece in pieces:
        reading.words += scan.push(piece)
        length += len(piece)
        borders.append(length)
    reading.words += [scan.open] if scan.open else []
    following = iter(borders)
    border = next(following, 0)
    for word in reading.words:
        while border <= word.start:
            border = next(following)
        reading.shown.append(min(border - word.start, len(word.text)))
    return reading


def _first_of_phrase(words: Sequence[Word], last: int) -> int | None:
    """Where the phrase begins that ends with this word; None where there is none."""
    length = 0
    for first in range(last, -1, -1):
        length += words[first].length
        if length >= _PHRASE:
            return first
    return None


def _note(known: dict[Before, dict[str, int]], reading: _Reading, first: int, last: int) -> None:
    before = tuple(word.text for word in reading.words[first:last])
    text, shown = reading.words[last].text, reading.shown[last]
    words = known.setdefault(before, {})
    words[text] = min(words.get(text, shown), shown)


class SaidPhrases:
    """Follows one reply among earlier lines."""

    def __init__(self, lines: Sequence[SaidLine], most: float) -> None:
        """`most`: the share of the reply's phrases that one line may have."""
        self._most = most
        self._ends = _by_words_before([line.ends for line in lines])
        self._heads = _by_words_before([line.heads for line in lines])
        self._shorts = {line.short for line in lines if line.short}
        self._scan = WordScan()
        self._words: list[Word] = []  # complete ones
        self._own: set[Before] = set()
        self._again = [0] * len(lines)  # by line: own phrases that it has

    @property
    def all_said(self) -> bool:
        """Whether the reply as it stands is all that an earlier line was."""
        if not self._shorts or self._own:
            return False
        return tuple(word.text for word in self._words_now()) in self._shorts

    def refuses(self, piece: str) -> bool:
        """Whether this text would say too much again."""
        return not self._is_harmless(piece) and self._copy()._takes_too_much(piece)

    def add(self, piece: str) -> None:
        """Go on with this text."""
        for word in self._scan.push(piece):
            self._count(word)

    def _is_harmless(self, piece: str) -> bool:
        """Whether it is plain at once that nothing is said again: so for most tokens."""
        words, length, goes_on = shape_of(piece)
        if words != 1:
            return words == 0
        if not goes_on and (word := self._scan.open):
            known = [*self._words[-_LONGEST_PHRASE:], word]
        else:
            known = self._words
        if _before(known, length) in self._ends:
            return False
        return not self._heads or not any(near in self._heads for near in _near(known))

    def _words_now(self) -> list[Word]:
        word = self._scan.open
        return [*self._words, word] if word else self._words

    def _takes_too_much(self, piece: str) -> bool:
        """Go on with a text until it would say too much again; whether it would."""
        begun = self._scan.open
        for word in self._scan.push(piece):
            # What was open was looked at when its last letter came.
            if word != begun and self._repeats(word, whole=True):
                return True
            self._count(word)
        now = self._scan.open
        return now is not None and now != begun and self._repeats(now, whole=False)

    def _copy(self) -> SaidPhrases:
        other = copy(self)
        other._scan, other._words = self._scan.copy(), self._words.copy()
        other._own, other._again = self._own.copy(), self._again.copy()
        return other

    def _count(self, word: Word) -> None:
        before = _before(self._words, word.length)
        self._words.append(word)
        phrase = (*before, word.text)
        if not before or phrase in self._own:
            return
        self._own.add(phrase)
        for line, words in self._ends.get(before, ()):
            self._again[line] += word.text in words

    def _repeats(self, word: Word, *, whole: bool) -> bool:
        before = _before(self._words, word.length)
        is_own = (*before, word.text) in self._own
        following = [] if is_own else [*self._ends.get(before, ())]
        following += (one for near in _near(self._words) for one in self._heads.get(near, ()))
        return any(
            _begins(words, word.text, whole=whole) and self._is_full(line)
            for line, words in following
        )

    def _is_full(self, line: int) -> bool:
        """Whether one more phrase of the line is one too many."""
        return self._again[line] + 1 > self._most * (len(self._own) + 1) + _TINY


def _by_words_before(lines: Sequence[Follows]) -> dict[Before, list[tuple[int, Words]]]:
    """By the words before: the lines that have them, by number, with what follows there."""
    found: dict[Before, list[tuple[int, Words]]] = {}
    for number, line in enumerate(lines):
        for before, words in line.items():
            found.setdefault(before, []).append((number, words))
    return found


def _begins(words: Words, text: str, *, whole: bool) -> bool:
    """Whether a text is one of the words, or shows that it is going to be."""
    if whole or text in words:
        return text in words
    return any(len(text) >= shown and word.startswith(text) for word, shown in words.items())


def _before(words: Sequence[Word], length: int) -> Before:
    """What is before a word of some length in the phrase that it ends; () where it ends none."""
    for first in range(len(words) - 1, -1, -1):
        length += words[first].length
        if length >= _PHRASE:
            return tuple([known.text for known in words[first:]])
    return ()


def _near(words: Sequence[Word]) -> Iterator[Before]:
    """What may be before a word that others are tied to, within a phrase."""
    for count in range(1, min(2, len(words)) + 1):
        yield tuple([word.text for word in words[-count:]])
