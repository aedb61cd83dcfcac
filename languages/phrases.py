"""Whether a text says a phrase, in any language: the one rule for everything that is listed.

Words match whole where a script sets them apart, in the forms that the language gives them
(`languages.inflection`); English words match as they are listed. In a script without blanks a
phrase is found anywhere, save where it would begin or end within a sign or a name.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise

from languages.inflection import inflection, listed_forms, said_forms, typed_forms
from languages.reading import Reading, is_unbroken, read
from languages.recognition import recognise
from languages.tags import primary

#: The tag of no language: words match as they are listed.
AS_LISTED = "und"

#: A name of up to three katakana is whole, or "ミラ" would be in "カミラ".
_SHORT_KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]{1,3}")
_KATAKANA = r"[\u30a1-\u30fa\u30fc]"
_THAI = re.compile(r"[\u0e01-\u0eff]")
_SIGN_BEGINS = r"(?<![เแโใไເແໂໃໄ])"
_SIGN_ENDS = r"(?![\u0e30-\u0e3a\u0e45\u0e47-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece])"


@dataclass(frozen=True)
class _Phrase:
    """A phrase made ready to be looked for."""

    spellings: tuple[str, ...]  # parts of a reading's line
    pattern: re.Pattern[str] | None  # in a reading's line, where its borders need a look
    forms: tuple[frozenset[str], ...]  # of its words, in an inflecting language
    joined: frozenset[str]  # of its words written as one
    unbroken: bool = False  # in a script without blanks


@dataclass(frozen=True)
class _Index:
    """Phrases made ready, so that most are passed over without a look."""

    phrases: tuple[str, ...]
    ready: tuple[_Phrase, ...]
    by_form: Mapping[str, tuple[int, ...]]  # the places of phrases that may begin with a form
    anywhere: tuple[int, ...]  # those that no word tells of


@dataclass(frozen=True)
class _Forms:
    """The forms that the words of a text may stand for, word by word."""

    by_word: tuple[frozenset[str], ...]
    places: Mapping[str, tuple[int, ...]]  # by form
    joined: frozenset[str]  # of two words written as one
    every: frozenset[str]  # all of them


def mentioned(text: str, phrases: Iterable[str], language: str = "") -> tuple[str, ...]:
    """Those of the phrases that the text says, in their order.

    `language` is a BCP 47 tag; without one it is told from the text where the text is plain.
    """
    code = primary(language) or recognise(text)
    listed, reading = _index(tuple(phrases), code), read(text)
    forms = frozenset(reading.tokens) if inflection(code) is None else _forms(reading, code).every
    begun = (listed.by_form[form] for form in forms & listed.by_form.keys())
    near = {*listed.anywhere, *chain.from_iterable(begun)}
    said = (at for at in sorted(near) if _says(reading, listed.ready[at], code))
    return tuple(listed.phrases[at] for at in said)


def _says(reading: Reading, phrase: _Phrase, code: str) -> bool:
    if any(spelling in reading.line for spelling in phrase.spellings):
        return True
    if phrase.pattern is not None and phrase.pattern.search(reading.line):
        return True
    return bool(phrase.forms) and _says_a_form(_forms(reading, code), phrase)


def _says_a_form(said: _Forms, phrase: _Phrase) -> bool:
    first = phrase.forms[0]
    places = [place for form in first for place in said.places.get(form, ())]
    if any(_follow(said, place, phrase.forms) for place in places):
        return True
    return not phrase.joined.isdisjoint(said.joined)


def _follow(said: _Forms, place: int, forms: tuple[frozenset[str], ...]) -> bool:
    there = said.by_word[place : place + len(forms)]
    return len(there) == len(forms) and not any(
        ours.isdisjoint(theirs) for ours, theirs in zip(forms, there, strict=True)
    )


@lru_cache(maxsize=2048)
def _forms(reading: Reading, code: str) -> _Forms:
    by_word = tuple(said_forms(token, code) for token in reading.tokens)
    places: dict[str, tuple[int, ...]] = {}
    for place, forms in enumerate(by_word):
        for form in forms:
            places[form] = (*places.get(form, ()), place)
    rules = inflection(code)
    if rules is None or not rules.joined:
        return _Forms(by_word, places, frozenset(), frozenset(places))
    pairs = (one + other for one, other in pairwise(reading.tokens))
    joined = (said_forms(word, code, in_parts=False) for word in pairs)
    every = frozenset().union(*by_word, *joined)
    return _Forms(by_word, places, every, every)


@lru_cache(maxsize=4096)
def _index(phrases: tuple[str, ...], code: str) -> _Index:
    ready = tuple(_prepare(phrase, code) for phrase in phrases)
    by_form: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(ready):
        for form in _first_forms(one):
            by_form[form].append(at)
    anywhere = tuple(at for at, one in enumerate(ready) if one.unbroken)
    return _Index(phrases, ready, {form: tuple(ats) for form, ats in by_form.items()}, anywhere)


def _first_forms(phrase: _Phrase) -> frozenset[str]:
    if phrase.unbroken:
        return frozenset()
    spelt = frozenset(spelling.split()[0] for spelling in phrase.spellings)
    return spelt.union(*phrase.forms[:1], phrase.joined)


@lru_cache(maxsize=1 << 15)
def _prepare(phrase: str, code: str) -> _Phrase:
    tokens = read(phrase).tokens
    if not tokens:
        return _Phrase((), None, (), frozenset())
    if any(map(is_unbroken, tokens)):
        return _prepare_unbroken(tokens)
    spellings = typed_forms(f" {' '.join(tokens)} ")
    rules = inflection(code)
    if rules is None:
        return _Phrase(spellings, None, (), frozenset())
    last = len(tokens) - 1
    forms = tuple(listed_forms(word, code, at == last) for at, word in enumerate(tokens))
    joined = listed_forms("".join(tokens), code) if rules.joined else frozenset[str]()
    return _Phrase(spellings, None, forms, joined)


def _prepare_unbroken(tokens: tuple[str, ...]) -> _Phrase:
    line = " ".join(tokens)
    start = "" if is_unbroken(tokens[0]) else " "
    end = "" if is_unbroken(tokens[-1]) else " "
    if _SHORT_KATAKANA.fullmatch(line):
        borders = rf"(?<!{_KATAKANA}){line}(?!{_KATAKANA})"
        return _Phrase((), re.compile(borders), (), frozenset(), unbroken=True)
    if _THAI.search(line):
        borders = f"{start}{_SIGN_BEGINS}{re.escape(line)}{_SIGN_ENDS}{end}"
        return _Phrase((), re.compile(borders), (), frozenset(), unbroken=True)
    return _Phrase((f"{start}{line}{end}",), None, (), frozenset(), unbroken=True)
