"""A file of entries made ready to be searched: ten thousand of them in a millisecond or so.

What takes time is done once: phrases by the words they begin with, patterns by their fixed parts,
meanings as vectors, the keys that an entry's own text has.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from languages.phrases import AS_LISTED, PhraseList
from personas.lore.entries import Entry
from personas.lore.patterns import PatternSet

Vectors = NDArray[np.float32]  # a row per text, of length 1


class Embedder(Protocol):
    """Turns texts into vectors that are near where the texts mean something alike."""

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """A row of length 1 per text; of zeros for one it knows no word of."""
        ...


@dataclass(frozen=True)
class Found:
    """What one text has of a shelf's entries."""

    phrases: frozenset[str] = frozenset()  # keys and secondary keys, as they are listed
    patterns: frozenset[str] = frozenset()


class Shelf:
    """Entries, and what finds them."""

    def __init__(
        self,
        name: str,
        entries: Iterable[Entry],
        language: str = "",
        embedder: Embedder | None = None,
    ) -> None:
        """`name` is that of the world or the character; `language` is that of the keys."""
        self.name = name
        self.entries = tuple(entries)
        self.constants = tuple(i for i, entry in enumerate(self.entries) if entry.constant)
        self.places = {self.source(entry): i for i, entry in enumerate(self.entries)}
        self.scan_lines = max((entry.scan_lines or 0 for entry in self.entries), default=0)
        self._of_phrase = _places_by(entry.keys for entry in self.entries)
        self._of_pattern = _places_by(entry.patterns for entry in self.entries)
        asked_for = dict.fromkeys(self._of_phrase)
        asked_for |= dict.fromkeys(key for entry in self.entries for key in entry.secondary_keys)
        self._phrases = tuple(asked_for)
        self._patterns = tuple(self._of_pattern)
        self._phrase_list = PhraseList(self._phrases, language or AS_LISTED)
        self._pattern_set = PatternSet(self._patterns)
        self._in_entries = {one.text: self.found_in(one.text) for one in self.entries}
        self._embedder = embedder
        self._by_meaning = tuple(i for i, entry in enumerate(self.entries) if entry.by_meaning)
        self._vectors = self._entry_vectors()

    def source(self, entry: Entry) -> str:
        """The name of an entry among those of all shelves: `saltmere/mill`."""
        return f"{self.name}/{entry.id}"

    def found_in_entry(self, text: str) -> Found:
        """The keys and patterns that an entry's text has, on whatever shelf it stands."""
        if text not in self._in_entries:
            self._in_entries[text] = self.found_in(text)
        return self._in_entries[text]

    def found_in(self, text: str) -> Found:
        """The keys and patterns that a text has."""
        phrases = (self._phrases[at] for at in self._phrase_list.places_in(text))
        patterns = (self._patterns[at] for at in self._pattern_set.places_in(text))
        return Found(frozenset(phrases), frozenset(patterns))

    def with_key(self, found: Found) -> Iterator[int]:
        """The places of the entries that have one of these as a key or a pattern."""
        for phrase in found.phrases:
            yield from self._of_phrase.get(phrase, ())
        for pattern in found.patterns:
            yield from self._of_pattern[pattern]

    def alike(self, text: str, least_similarity: float, most: int) -> list[tuple[int, float]]:
        """The entries that mean something like a text, with the cosine of both; best first."""
        if self._embedder is None or not self._by_meaning or not text:
            return []
        cosines = self._vectors @ self._embedder.vectors([text])[0]
        best = np.argsort(-cosines, kind="stable")[:most]
        near = ((self._by_meaning[at], float(cosines[at])) for at in best)
        return [(place, cosine) for place, cosine in near if cosine >= least_similarity]

    def _entry_vectors(self) -> Vectors:
        texts = [
            " ".join((*self.entries[at].keys, self.entries[at].text)) for at in self._by_meaning
        ]
        if self._embedder is None or not texts:
            return np.zeros((len(texts), 0), np.float32)
        return self._embedder.vectors(texts)


def _places_by(listed: Iterable[Iterable[str]]) -> Mapping[str, tuple[int, ...]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, names in enumerate(listed):
        for name in names:
            places[name].append(place)
    return {name: tuple(at) for name, at in places.items()}
