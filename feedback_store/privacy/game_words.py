"""The words of `game_words.yaml`, and where a text says one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from feedback_store.privacy.plain_signs import plain

FILE = Path(__file__).with_name("game_words.yaml")
_LONGEST_PHRASE = 3  # words
# Not \w: the vowel signs of Devanagari and of others are no letters to it.
_TOKEN = re.compile(r"[^\s.,;:!?()\[\]{}\"“”„«»…/|<>=+*#@、，？！：「」]+")
#: Scripts that set no spaces between words, or join particles to them.
UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_BLANKS_AND_MARKS = " \t\n.,;:!?()[]{}\"'“”„«»…/|<>=+*#@、，？！：「」-–"
_UNSPACED = re.compile(f"[{UNSPACED}]")
_HANGUL = re.compile("[\uac00-\ud7a3]")


@dataclass(frozen=True)
class WordList:
    """Words, phrases and stems; all in lower case."""

    words: frozenset[str]
    stems: frozenset[str]
    unspaced: re.Pattern[str] | None  # entries that are found inside of other text
    stem_sizes: tuple[int, ...]

    def ends(self, text: str) -> Iterator[int]:
        """Where in `text` each word or phrase of the list ends, not in order."""
        if self.unspaced is not None:
            yield from (match.end() for match in self.unspaced.finditer(text))
        tokens = [(match.end(), _bare(match[0])) for match in _TOKEN.finditer(text)]
        for i, (end, word) in enumerate(tokens):
            phrase = word
            if phrase in self.words or self._has_stem_of(word):
                yield end
            for later_end, later in tokens[i + 1 : i + _LONGEST_PHRASE]:
                phrase += f" {later}"
                if phrase in self.words or self._has_stem_of(phrase):
                    yield later_end

    def is_last_of(self, text: str) -> bool:
        """Whether the text ends with one of them, but for blanks and marks."""
        return self.last_end(text) >= len(text.rstrip(_BLANKS_AND_MARKS)) > 0

    def last_end(self, text: str) -> int:
        """Where the last of them ends; -1 = `text` has none."""
        return max(self.ends(text), default=-1)

    def holds(self, word: str) -> bool:
        """Whether this one word is in the list."""
        return word in self.words or self._has_stem_of(word)

    def _has_stem_of(self, word: str) -> bool:
        return any(word[:size] in self.stems for size in self.stem_sizes)


@cache
def word_list(name: str) -> WordList:
    """The list of that name, of all languages together."""
    return made_of(entry for entries in _read()[name].values() for entry in entries)


def made_of(entries: Iterator[str] | Sequence[str]) -> WordList:
    """The list of these entries; a `*` ends a stem."""
    words, stems, unspaced = set(), set(), set()
    for entry in (plain(entry).text.casefold() for entry in entries):
        if _UNSPACED.search(entry):
            unspaced.add(re.escape(entry))
        elif entry.endswith("*") or _HANGUL.search(entry):
            stems.add(entry.rstrip("*"))
        else:
            words.add(entry)
    pattern = re.compile("|".join(sorted(unspaced, key=len, reverse=True))) if unspaced else None
    sizes = tuple(sorted({len(stem) for stem in stems}))
    return WordList(frozenset(words), frozenset(stems), pattern, sizes)


@cache
def _read() -> Mapping[str, Mapping[str, Sequence[str]]]:
    # The base loader: `no`, `on` and `n` are words here.
    lists: Mapping[str, Mapping[str, Sequence[str]]] = yaml.load(FILE.read_bytes(), yaml.BaseLoader)
    return lists


def _bare(token: str) -> str:
    return token.replace("’", "'").strip("'`-~").casefold()
