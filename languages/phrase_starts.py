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
from functools import lru_cache
from itertools import accumulate, pairwise

from languages.inflection import Inflection, inflection, listed_forms, said_forms
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


#: Letters of a word within a joined one that may be seen: fewer than these tell nothing.
_TELLING = 3
_REMEMBERED = 1 << 13


@dataclass(frozen=True, eq=False)
class PhraseStarts:
    """Phrases of one language, made ready to be followed word by word."""

    code: str
    by_first: Mapping[str, tuple[tuple[frozenset[str], ...], ...]]  # forms, word by word
    joined: frozenset[str]  # phrases written as one word, where the language does that
    joined_starts: frozenset[str]  # what those begin with
    unbroken: frozenset[str]  # phrases in a script without blanks
    unbroken_starts: frozenset[str]
    letters: frozenset[str]  # what the first words of all these begin with, and the words
    rules: Inflection | None

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
        if self.unbroken and "".join(tokens) in self.unbroken_starts:
            best = max(best, Reach.BEGUN)  # "AI助手": the rest is not there yet
        return best

    def may_begin(self, letters: str) -> bool:
        """Whether a word of a folded text that begins with these letters may be a first one."""
        if self._is_told_by(letters):
            return True
        if not self._has_compounds:
            return False
        within = (letters[at:] for at in range(1, len(letters) - _TELLING + 1))
        return any(self._is_told_by(rest) for rest in within)

    def may_go_on(self, tokens: Sequence[str], letters: str) -> bool:
        """Whether words may be followed by one that begins with these letters, in a phrase."""
        reach = self.reach(tokens)
        if reach is Reach.NOWHERE:
            return False
        if reach is Reach.SAID or "".join((*tokens, letters)) in self.letters:
            return True
        following = (
            phrase[len(tokens)]
            for form in self._forms(tokens[0])
            for phrase in self.by_first.get(form, ())
            if len(tokens) < len(phrase) and self._reach_of(phrase, tokens)
        )
        return any(self._may_be(letters, form) for forms in following for form in forms)

    def _is_told_by(self, letters: str) -> bool:
        if letters in self.letters:
            return True
        starts = (letters[:end] for end in range(1, len(letters))) if self.rules else ()
        return any(self._is_first(start) for start in starts)

    def _is_first(self, form: str) -> bool:
        if form in self.by_first or form in self.joined:
            return True
        softened = self.rules.softened if self.rules else ()
        return any(form[:-1] + hard in self.by_first for soft, hard in softened if form[-1] == soft)

    def _may_be(self, letters: str, form: str) -> bool:
        """Whether a word that begins with the letters may stand for the form, with an ending."""
        if self.rules is None:
            return form.startswith(letters)
        return self._has_compounds or form.startswith(letters) or letters.startswith(form[:-1])

    @property
    def _has_compounds(self) -> bool:
        return self.rules is not None and self.rules.compounds

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
        return said_forms(token, self.code, in_parts=self._has_compounds)


class ManyStarts:
    """The phrases of several languages, followed together.

    What it has told is remembered: whoever talks says the same words again and again.
    """

    def __init__(self, lists: Iterable[PhraseStarts]) -> None:
        self._lists = tuple(lists)
        self._reaches = lru_cache(maxsize=_REMEMBERED)(self._look_up)
        self.may_begin = lru_cache(maxsize=_REMEMBERED)(self._may_begin)
        self.may_go_on = lru_cache(maxsize=_REMEMBERED)(self._may_go_on)

    def reach(self, tokens: tuple[str, ...]) -> Reach:
        """How far the words have come in any of the phrases."""
        return max(self._reaches(tokens).values(), default=Reach.NOWHERE)

    def _look_up(self, tokens: tuple[str, ...]) -> dict[PhraseStarts, Reach]:
        """How far they have come in the lists that could go on from all words but the last."""
        lists = self._reaches(tokens[:-1]) if len(tokens) > 1 else self._lists
        reached = ((one, one.reach(tokens)) for one in lists)
        return {one: reach for one, reach in reached if reach is not Reach.NOWHERE}

    def _may_begin(self, letters: str) -> bool:
        """Whether a word that begins with these letters may be the first of a phrase."""
        return any(one.may_begin(letters) for one in self._lists)

    def _may_go_on(self, tokens: tuple[str, ...], letters: str) -> bool:
        """Whether words may be followed by one that begins with these letters, in a phrase."""
        return any(one.may_go_on(tokens, letters) for one in self._reaches(tokens))


def phrase_starts(phrases: Iterable[str], language: str) -> PhraseStarts:
    """Make phrases of a language ready."""
    code = primary(language)
    rules = inflection(code)
    compounds = rules is not None and rules.compounds
    listed = [tokens for tokens in (read(phrase).tokens for phrase in phrases) if tokens]
    spaced = [tokens for tokens in listed if not any(map(is_unbroken, tokens))]
    mixed = [tokens for tokens in listed if any(map(is_unbroken, tokens))]
    unbroken = frozenset(map("".join, mixed))
    by_first: dict[str, list[tuple[frozenset[str], ...]]] = defaultdict(list)
    joined: set[str] = set()
    for tokens in spaced:
        last = len(tokens) - 1
        forms = tuple(listed_forms(word, code, at == last) for at, word in enumerate(tokens))
        for form in forms[0]:
            by_first[form].append(forms)
        joined |= listed_forms("".join(tokens), code) if compounds else frozenset()
    unbroken_starts = frozenset(start for tokens in mixed for start in _starts_by_sign(tokens))
    return PhraseStarts(
        code=code,
        by_first={form: tuple(phrases) for form, phrases in by_first.items()},
        joined=frozenset(joined),
        joined_starts=frozenset(one for one in _starts_of(joined) if len(one) >= _TELLING),
        unbroken=unbroken,
        unbroken_starts=unbroken_starts,
        letters=_starts_of({*by_first, *joined, *unbroken}) | by_first.keys() | joined | unbroken,
        rules=rules,
    )


def _starts_of(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word[:end] for word in words for end in range(1, len(word)))


def _starts_by_sign(tokens: Sequence[str]) -> frozenset[str]:
    """What a phrase begins with, a sign or a word longer each time: "AI", "AI助"."""
    units = [unit for token in tokens for unit in (token if is_unbroken(token) else (token,))]
    return frozenset(list(accumulate(units))[:-1])
