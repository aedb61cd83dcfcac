"""The words of `game_words.yaml`, and where a text says one of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from feedback_store.privacy.plain_signs import plain

FILE = Path(__file__).with_name("game_words.yaml")
_LONGEST_PHRASE = 3  # words
_MARKS = '.,;:!?()[]{}"“”„«»…/|<>=+*#@、，？！：「」'
# Not \w: the vowel signs of Devanagari and of others are no letters to it.
_TOKEN = re.compile(rf"[^\s{re.escape(_MARKS)}]+")
_LETTER = re.compile(r"[^\W\d_]")
#: Scripts that set no spaces between words.
UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_UNSPACED = re.compile(f"[{UNSPACED}]")
_HANGUL = re.compile("[\uac00-\ud7a3]")  # particles are joined to its words

#: By name of a list, where in a text its last word or phrase ends.
LastEnds = Mapping[str, int]
_NOTHING: LastEnds = defaultdict(lambda: -1)
_Names = frozenset[str]


@dataclass(frozen=True)
class Lexicon:
    """The lists of all languages together, turned round: which lists hold a word."""

    words: Mapping[str, _Names]
    stems: Mapping[str, _Names]
    stem_sizes: tuple[int, ...]
    unspaced: Mapping[str, _Names]
    unspaced_pattern: re.Pattern[str]

    def lists_of(self, phrase: str) -> _Names:
        """The names of the lists that hold this word, or these words with blanks between."""
        found = self.words.get(phrase, frozenset())
        if " " not in phrase or _HANGUL.match(phrase):
            for size in self.stem_sizes:
                found |= self.stems.get(phrase[:size], frozenset())
        return found

    def holds(self, name: str, word: str) -> bool:
        """Whether the list of that name has this word."""
        return name in self.lists_of(word)

    def last_ends(self, text: str) -> LastEnds:
        """Where each list's last word ends; -1 where `text` has none of a list."""
        if not _LETTER.search(text):
            return _NOTHING
        last: dict[str, int] = defaultdict(lambda: -1)
        for end, names in self._ends(text):
            for name in names:
                last[name] = max(last[name], end)
        return last

    def _ends(self, text: str) -> Iterator[tuple[int, _Names]]:
        if _UNSPACED.search(text):
            for match in self.unspaced_pattern.finditer(text):
                yield match.end(), self.unspaced[match[0]]
        tokens = [(match.end(), _bare(match[0])) for match in _TOKEN.finditer(text)]
        for i, (end, word) in enumerate(tokens):
            if word and not word[0].isdigit():
                yield end, self.lists_of(word)
                phrase = word
                for later_end, later in tokens[i + 1 : i + _LONGEST_PHRASE]:
                    phrase += f" {later}"
                    yield later_end, self.lists_of(phrase)


def bare_end(text: str) -> int:
    """Where the text ends but for blanks and marks."""
    return len(text.rstrip(f"{_MARKS} \t\n-–'"))


@cache
def lexicon() -> Lexicon:
    """The lists as the file has them, read once."""
    words: dict[str, _Names] = defaultdict(frozenset)
    stems: dict[str, _Names] = defaultdict(frozenset)
    unspaced: dict[str, _Names] = defaultdict(frozenset)
    for name, entry in _entries():
        if _UNSPACED.search(entry):
            unspaced[entry] |= {name}
        elif entry.endswith("*") or _HANGUL.search(entry):
            stems[entry.rstrip("*")] |= {name}
        else:
            words[entry] |= {name}
    longest_first = sorted(unspaced, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    sizes = tuple(sorted({len(stem) for stem in stems}))
    return Lexicon(dict(words), dict(stems), sizes, dict(unspaced), pattern)


def _entries() -> Iterator[tuple[str, str]]:
    """Name of the list and entry, in the form that patterns read."""
    # The base loader: `no`, `on` and `n` are words here.
    lists: Mapping[str, Mapping[str, Sequence[str]]] = yaml.load(FILE.read_bytes(), yaml.BaseLoader)
    for name, by_language in lists.items():
        for entries in by_language.values():
            yield from ((name, plain(entry).text.casefold()) for entry in entries)


def _bare(token: str) -> str:
    return token.replace("’", "'").strip("'`-~").casefold()
