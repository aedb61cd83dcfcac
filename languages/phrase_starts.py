"""How far words have come in saying a listed phrase: for text that is read while it is written.

`phrases.mentioned` tells of a whole text whether it says a phrase. Who must show a text before it
is whole asks, word by word, whether what stands there could still become one. The answer may be
too careful, as it only keeps some words waiting, but never too bold: words that `mentioned` would
find have come to SAID, and were BEGUN at every word before. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from languages.inflection import inflection, listed_forms, said_forms
from languages.reading import is_unbroken, read
from languages.tags import primary


class Reach(IntEnum):
    """How far some words have come."""

    NOWHERE = 0
    """No phrase begins with these words."""
    BEGUN = 1
    """They are the beginning of one."""
    SAID = 2
    """They say one, and perhaps more."""


@dataclass(frozen=True)
class PhraseStarts:
    """Phrases of one language, made ready to be followed word by word."""

    code: str
    by_first: Mapping[str, tuple[tuple[frozenset[str], ...], ...]]  # forms, word by word
    joined: frozenset[str]  # phrases written as one word, where the language does that
    joined_starts: frozenset[str]  # what those begin with
    unbroken: frozenset[str]  # phrases in a script without blanks
    unbroken_starts: frozenset[str]
    compounds: bool

    def reach(self, tokens: Sequence[str]) -> Reach:
        """How far the words have come; they are whole, and as `reading.read` gives them."""
        if not tokens:
            return Reach.NOWHERE
        if self.unbroken and any(map(is_unbroken, tokens)):
            return max(self._reach_in_words(tokens), self._reach_in_signs("".join(tokens)))
        return self._reach_in_words(tokens)

    def _reach_in_signs(self, said: str) -> Reach:
        if said in self.unbroken:
            return Reach.SAID
        return Reach.BEGUN if said in self.unbroken_starts else Reach.NOWHERE

    def _reach_in_words(self, tokens: Sequence[str]) -> Reach:
        said = self._forms(tokens[0])
        best = self._reach_joined(tokens) if self.joined else Reach.NOWHERE
        for form in said:
            for phrase in self.by_first.get(form, ()):
                best = max(best, self._reach_of(phrase, tokens))
        if len(tokens) == 1 and tokens[0] in self.unbroken_starts:
            best = max(best, Reach.BEGUN)  # "AI助手": the rest is not there yet
        return best

    def _reach_of(self, phrase: tuple[frozenset[str], ...], tokens: Sequence[str]) -> Reach:
        for forms, token in zip(phrase[1:], tokens[1:], strict=False):
            if forms.isdisjoint(self._forms(token)):
                return Reach.NOWHERE
        return Reach.SAID if len(tokens) >= len(phrase) else Reach.BEGUN

    def _reach_joined(self, tokens: Sequence[str]) -> Reach:
        """Two words may be a joined one, and any word the first of two."""
        pairs = (one + other for one, other in pairwise(tokens[:2]))
        if any(not self._forms(word).isdisjoint(self.joined) for word in (tokens[0], *pairs)):
            return Reach.SAID
        begins = len(tokens) == 1 and not self._forms(tokens[0]).isdisjoint(self.joined_starts)
        return Reach.BEGUN if begins else Reach.NOWHERE

    def _forms(self, token: str) -> frozenset[str]:
        return said_forms(token, self.code, in_parts=self.compounds)


def phrase_starts(phrases: Iterable[str], language: str) -> PhraseStarts:
    """Make phrases of a language ready."""
    code = primary(language)
    rules = inflection(code)
    compounds = rules is not None and rules.compounds
    listed = [tokens for tokens in (read(phrase).tokens for phrase in phrases) if tokens]
    spaced = [tokens for tokens in listed if not any(map(is_unbroken, tokens))]
    unbroken = {"".join(tokens) for tokens in listed if any(map(is_unbroken, tokens))}
    by_first: dict[str, list[tuple[frozenset[str], ...]]] = defaultdict(list)
    joined: set[str] = set()
    for tokens in spaced:
        last = len(tokens) - 1
        forms = tuple(listed_forms(word, code, at == last) for at, word in enumerate(tokens))
        for form in forms[0]:
            by_first[form].append(forms)
        joined |= listed_forms("".join(tokens), code) if compounds else frozenset()
    return PhraseStarts(
        code=code,
        by_first={form: tuple(phrases) for form, phrases in by_first.items()},
        joined=frozenset(joined),
        joined_starts=_starts_of(joined),
        unbroken=frozenset(unbroken),
        unbroken_starts=_starts_of(unbroken),
        compounds=compounds,
    )


def _starts_of(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word[:end] for word in words for end in range(1, len(word)))
