"""The forms that one word takes in sentences, by language: endings, particles, joined words. Pure.

A phrase is written once and said in many forms. Stemmers as they are known take too much away for
this: "puerta" and "puerto" become one, "Kammer" and "Kamm". Here a word of a text may only lose
what `inflection.yaml` lists, and what is left must be the phrase's own word. Such a rule leaves
forms unfound where a word changes inside; an author lists those.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Any

import yaml

from languages.folding import fold, without_accents

_LEAST_PART = 4  # letters of a word that may be a part of a joined one; fewer are in too many
_LEAST_REST = 3  # letters that are then left on its other side, a vowel among them
_SYLLABLES = 2  # of Korean, whose signs are syllables, both
#: Longer words are nobody's; every part of one would be looked at.
_LONGEST_WORD, _LONGEST_JOINED = 64, 40
_BOUND = frozenset(["ver", "ent", "zer", "miss", "wieder", "unter", "über", "durch", "hinter"])
_VOWEL = re.compile("[aeiouyäöüáéíóúőű가-힣]")
_HANGUL = re.compile("[가-힣]")
_TRANSLITERATED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae"})


@dataclass(frozen=True)
class Inflection:
    """The rules of one language; see `inflection.yaml`."""

    endings: frozenset[str] = frozenset()
    particles: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()
    changes: tuple[tuple[re.Pattern[str], str], ...] = ()
    softened: tuple[tuple[str, str], ...] = ()
    chain: int = 1
    least: int = 3
    compounds: bool = False

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """The lengths that endings have."""
        return tuple(sorted({len(ending) for ending in self.endings}))


@cache
def inflection(language: str) -> Inflection | None:
    """The rules of a language by its primary subtag; None where a word matches itself alone."""
    rules = _rules().get(language)
    return None if rules is None else _inflection(rules)


@lru_cache(maxsize=1 << 13)
def said_forms(word: str, language: str, in_parts: bool = False) -> frozenset[str]:
    """Every form that a folded word of a text may stand for, itself among them.

    `in_parts` looks into joined words, too.
    """
    rules = inflection(language)
    if rules is None or len(word) > _LONGEST_WORD:
        return frozenset([word])
    bare = {word} | set(_without_particles(word, rules))
    forms = {form for start in bare for form in _without_endings(start, rules)}
    if rules.compounds and in_parts and len(word) <= _LONGEST_JOINED:
        forms |= {form for part in _parts(word) for form in _without_endings(part, rules)}
    return frozenset(forms)


def listed_forms(word: str, language: str, last: bool = True) -> frozenset[str]:
    """Every form in which a folded word of a phrase is looked for; `last` of its phrase or not."""
    typed = typed_forms(word)
    rules = inflection(language)
    if rules is None:
        return frozenset(typed)
    base = {*typed, *(form for one in typed for form in _without_drops(one, rules, last))}
    base |= set(_without_particles(word, rules))
    return frozenset(base | {form for one in typed for form in _before_endings(one, rules)})


def typed_forms(text: str) -> tuple[str, ...]:
    """A folded text as it is written, and as people type it who have no keys for its accents."""
    if text.isascii():
        return (text,)
    forms = (text, without_accents(text), text.translate(_TRANSLITERATED))
    return tuple(dict.fromkeys(forms))


def _without_endings(word: str, rules: Inflection) -> set[str]:
    found, newest = {word}, {word}
    for _ in range(rules.chain):
        newest = {
            form
            for one in newest
            for length in rules.lengths
            if len(one) - length >= rules.least and one[-length:] in rules.endings
            for form in _with_hard_end(one[:-length], rules)
        } - found
        found |= newest
    return found


def _with_hard_end(stem: str, rules: Inflection) -> Iterator[str]:
    yield stem
    yield from (stem[:-1] + hard for soft, hard in rules.softened if stem.endswith(soft))


def _without_particles(word: str, rules: Inflection) -> Iterator[str]:
    for particle in rules.particles:
        if word.startswith(particle) and len(word) - len(particle) >= rules.least:
            yield word[len(particle) :]


def _without_drops(word: str, rules: Inflection, last: bool) -> Iterator[str]:
    for ending in rules.drops if last else (*rules.drops, *rules.adjectives):
        if word.endswith(ending) and len(word) - len(ending) > rules.least:
            yield word[: len(word) - len(ending)]


def _before_endings(word: str, rules: Inflection) -> Iterator[str]:
    for pattern, into in rules.changes:
        changed, times = pattern.subn(into, word)
        if times and len(changed) >= rules.least:
            yield changed


def _parts(word: str) -> Iterator[str]:
    """What a word may be joined of: its beginnings, its ends and what lies between."""
    hangul = _HANGUL.match(word) is not None
    part, rest = (_SYLLABLES, _SYLLABLES) if hangul else (_LEAST_PART, _LEAST_REST)
    starts = [0, *(at for at in range(rest, len(word) - part + 1) if _is_rest(word[:at]))]
    ends = [at for at in range(part, len(word) - rest + 1) if _VOWEL.search(word[at:])]
    for start in starts:
        for end in (*ends, len(word)):
            if end - start >= part and (start, end) != (0, len(word)):
                yield word[start:end]


def _is_rest(text: str) -> bool:
    return _VOWEL.search(text) is not None and text not in _BOUND


@cache
def _rules() -> Mapping[str, Mapping[str, Any]]:
    text = (resources.files("languages") / "inflection.yaml").read_text("utf-8")
    rules: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return rules


def _inflection(rules: Mapping[str, Any]) -> Inflection:
    lists = {
        name: tuple(dict.fromkeys(filter(None, map(fold, rules.get(name, ())))))
        for name in ("endings", "particles", "drops", "adjectives")
    }
    return Inflection(
        endings=frozenset(lists.pop("endings")),
        **lists,
        changes=tuple((re.compile(was), into) for was, into in rules.get("changes", ())),
        softened=tuple(rules.get("softened", {}).items()),
        chain=rules.get("chain", 1),
        least=rules.get("least", 3),
        compounds=rules.get("compounds", False),
    )
