"""Names that a reply does not put before words, as a script does: `Mira: Good day`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from npc_server.engine.sampling.word_scan import WordScan

_COLONS = (":", "：")
_MOST_CHARACTERS = 200  # of a line that is looked at
_MOST_WORDS = 6  # of a line that is nothing but a name, with what adorns it


class SpeakerNames:
    """Follows one reply, in which none of these names speaks."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = _read(tuple(names))
        self._line = ""

    def lets_speak(self, piece: str) -> bool:
        """Whether this text makes a line begin with a name and a colon."""
        if not any(colon in piece for colon in _COLONS):
            return False
        line = (self._line + piece).rpartition("\n")[2]
        for colon in _COLONS:
            line = line.partition(colon)[0]
        words = _words(line)
        ends = (tuple(words[first:]) for first in range(len(words)))
        return len(words) <= _MOST_WORDS and any(end in self._names for end in ends)

    def add(self, piece: str) -> None:
        """Go on with this text."""
        if "\n" in piece:
            self._line = piece.rpartition("\n")[2]
        elif len(self._line) < _MOST_CHARACTERS:
            self._line += piece


@lru_cache(maxsize=256)
def _read(names: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(_words(name)) for name in names)


def _words(text: str) -> list[str]:
    scan = WordScan()
    return [word.text for word in scan.push(f"{text} ")]
