"""Whether a text says a phrase, in any language: the one rule for everything that is listed.

Words match whole where a script sets them apart, in the forms that the language gives them
(`languages.inflection`); English words match as they are listed. In a script without blanks a
phrase is found anywhere, save where it would begin or end within a sign or a name.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise

from languages.inflection import inflection, listed_forms, said_forms, typed_forms
from languages.reading import Reading, is_unbroken, read
from languages.recognition import recognise
from languages.tags import primary

#: The tag of no language: words match as they are listed.
AS_LISTED = "und"

_APART = "\n0\n"  # a word between two texts, so that neither goes on in the other

_FEW = 64  # phrases are looked for one by one; the parts of a text, in a longer list

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
    in_parts: bool = False  # its words may be parts of joined ones


@dataclass(frozen=True)
class _Parts:
    """The places of phrases that some run of letters may begin, wherever it stands."""

    places: Mapping[str, tuple[int, ...]]  # by run

    def places_within(self, text: str) -> Iterator[int]:
        """The places listed under any part of the text."""
        if len(self.places) <= _FEW:
            found = {part for part in self.places if part in text}
        else:
            found = self._parts_of(text) & self.places.keys()
        for part in found:
            yield from self.places[part]

    def _parts_of(self, text: str) -> set[str]:
        starts = range(len(text))
        return {text[at : at + length] for length in self._lengths for at in starts}

    @cached_property
    def _lengths(self) -> frozenset[int]:
        return frozenset(map(len, self.places))


@dataclass(frozen=True)
class _Index:
    """Phrases made ready, so that most are passed over without a look."""

    phrases: tuple[str, ...]
    ready: tuple[_Phrase, ...]
    by_form: Mapping[str, tuple[int, ...]]  # the places of phrases whose longest word it may be
    by_part: "_Parts"  # likewise, of words that may be joined to others
    by_signs: "_Parts"  # likewise, of those that no word tells of


class PhraseList:
    """Phrases to be looked for in many texts, made ready once; for lists of thousands."""

    def __init__(self, phrases: Iterable[str], language: str = AS_LISTED) -> None:
        """`language` is a BCP 47 tag; words match as they are listed without one."""
        self._code = primary(language)
        self._index = _make_index(tuple(phrases), self._code)

    def places_in(self, text: str) -> tuple[int, ...]:
        """The places of the phrases that the text says, in their order."""
        return _places(self._index, read(text), self._code, in_parts=True)

    def whole_in(self, text: str) -> tuple[str, ...]:
        """The phrases that the text says, other than in words joined to others."""
        places = _places(self._index, read(text), self._code, in_parts=False)
        return tuple(self._index.phrases[at] for at in places)


class TextList:
    """Texts to be looked through for many lists of phrases; most say none of them."""

    def __init__(self, texts: Sequence[str], language: str = "") -> None:
        """`language` is a BCP 47 tag; without one it is told from each text that is plain."""
        self._texts = texts
        self._language = language
        together = defaultdict[str, list[str]](list)
        for text in texts:
            code = primary(language) or recognise(text)
            together[code if inflection(code) else AS_LISTED].append(text)
        self._together = {code: read(_APART.join(some)) for code, some in together.items()}

    def saying(self, phrases: Sequence[str]) -> Iterator[tuple[int, str]]:
        """The number of each text that says some of the phrases, with each that it says."""
        together = self._together.items()
        if not any(_says_any(reading, phrases, code) for code, reading in together):
            return
        for number, text in enumerate(self._texts):
            for phrase in mentioned(text, phrases, self._language):
                yield number, phrase


@dataclass(frozen=True)
class _Forms:
    """The forms that the words of a text may stand for, word by word."""

    by_word: tuple[frozenset[str], ...]
    places: Mapping[str, tuple[int, ...]]  # by form


def mentioned(
    text: str, phrases: Iterable[str], language: str = "", *, in_parts: bool = True
) -> tuple[str, ...]:
    """Those of the phrases that the text says, in their order.

    `language` is a BCP 47 tag; without one it is told from the text where the text is plain. Words
    joined to others are not looked for without `in_parts`: of thousands of phrases that takes long.
    """
    code = primary(language) or recognise(text)
    listed = _index(tuple(phrases), code)
    return tuple(listed.phrases[at] for at in _places(listed, read(text), code, in_parts))


def _places(listed: _Index, reading: Reading, code: str, in_parts: bool) -> tuple[int, ...]:
    told = (
        listed.by_form[form] for form in _forms(reading, code).places.keys() & listed.by_form.keys()
    )
    parts = listed.by_part.places_within(reading.squeezed) if in_parts else ()
    signs = listed.by_signs.places_within(reading.line)
    near = set(chain(chain.from_iterable(told), parts, signs))
    return tuple(at for at in sorted(near) if _says(reading, listed.ready[at], code))


def _says_any(reading: Reading, phrases: Sequence[str], code: str) -> bool:
    if inflection(code) is None:
        return any(_says(reading, _prepare(phrase, code), code) for phrase in phrases)
    return bool(_places(_index(tuple(phrases), code), reading, code, in_parts=True))


def _says(reading: Reading, phrase: _Phrase, code: str) -> bool:
    if any(spelling in reading.line for spelling in phrase.spellings):
        return True
    if phrase.pattern is not None:
        return phrase.pattern.search(reading.line) is not None
    if phrase.forms and _says_a_form(_forms(reading, code), phrase):
        return True
    return phrase.in_parts and _says_in_parts(reading, phrase, code)


def _says_a_form(said: _Forms, phrase: _Phrase) -> bool:
    places = [place for form in phrase.forms[0] for place in said.places.get(form, ())]
    if any(_follow(said, place, phrase.forms) for place in places):
        return True
    return not phrase.joined.isdisjoint(said.places)


def _says_in_parts(reading: Reading, phrase: _Phrase, code: str) -> bool:
    """Whether a joined word has the phrase, or two words that might be written as one."""
    if not any(part in reading.squeezed for part in phrase.forms[0] | phrase.joined):
        return False
    if _says_a_form(_forms(reading, code, in_parts=True), phrase):
        return True
    return not phrase.joined.isdisjoint(_pairs(reading, code))


def _follow(said: _Forms, place: int, forms: tuple[frozenset[str], ...]) -> bool:
    there = said.by_word[place : place + len(forms)]
    return len(there) == len(forms) and not any(
        ours.isdisjoint(theirs) for ours, theirs in zip(forms, there, strict=True)
    )


@lru_cache(maxsize=256)
def _forms(reading: Reading, code: str, in_parts: bool = False) -> _Forms:
    by_word = tuple(said_forms(token, code, in_parts) for token in reading.tokens)
    places: dict[str, tuple[int, ...]] = {}
    for place, forms in enumerate(by_word):
        for form in forms:
            places[form] = (*places.get(form, ()), place)
    return _Forms(by_word, places)


@lru_cache(maxsize=256)
def _pairs(reading: Reading, code: str) -> frozenset[str]:
    """The forms of every two words that stand side by side, written as one."""
    pairs = (one + other for one, other in pairwise(reading.tokens))
    return frozenset().union(*(said_forms(pair, code) for pair in pairs))


@lru_cache(maxsize=1024)
def _index(phrases: tuple[str, ...], code: str) -> _Index:
    return _make_index(phrases, code)


def _make_index(phrases: tuple[str, ...], code: str) -> _Index:
    ready = tuple(_prepare(phrase, code) for phrase in phrases)
    by_form, by_part = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    by_signs = defaultdict[str, list[int]](list)
    for at, one in enumerate(ready):
        for form in _telling_forms(one):
            by_form[form].append(at)
        for part in one.forms[0] | one.joined if one.in_parts else ():
            by_part[part].append(at)
        if one.unbroken:
            by_signs[_first_signs(phrases[at])].append(at)
    parts, signs = _Parts(_frozen(by_part)), _Parts(_frozen(by_signs))
    return _Index(phrases, ready, _frozen(by_form), parts, signs)


def _frozen(places: Mapping[str, list[int]]) -> Mapping[str, tuple[int, ...]]:
    return {form: tuple(ats) for form, ats in places.items()}


def _first_signs(phrase: str) -> str:
    return read(phrase).tokens[0][:2]


def _telling_forms(phrase: _Phrase) -> frozenset[str]:
    """The forms of its longest word, which few texts have; a short one is in most."""
    if phrase.unbroken:
        return frozenset()
    spelt = [spelling.split() for spelling in phrase.spellings]
    at = max(range(len(spelt[0])), key=lambda at: len(spelt[0][at])) if spelt else 0
    told = frozenset(words[at] for words in spelt)
    return told.union(*phrase.forms[at : at + 1], phrase.joined)


@lru_cache(maxsize=1 << 14)
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
    joined = listed_forms("".join(tokens), code) if rules.compounds else frozenset[str]()
    return _Phrase(spellings, None, forms, joined, in_parts=rules.compounds)


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
