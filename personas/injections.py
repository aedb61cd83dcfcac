"""Whether a player's line tries to talk the character out of its role. Pure.

Such a line orders what only a machine could do: to forget its instructions, to show its prompt, to
be an assistant from now on. A single word tells nothing ("Ignore the rain"), so an order counts
together with what it is about, in one sentence. The phrases are authored, one file a language
(`injection_lists`), and looked for in the line as it stands and as it reads when its disguise is
taken off (`languages.disguises`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from itertools import product
from typing import Any

import yaml

from languages.disguises import decoded_readings, plain_readings, spelled_words
from languages.folding import fold, without_accents
from languages.phrases import PhraseList, mentioned
from languages.reading import read
from languages.recognition import scripts
from languages.tags import language_of, primary
from personas.cast_names import named
from personas.sentences import sentences

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a second faster, where it is built

_NAMES_OF_TURNS = (
    "system|assistant|developer|user|sistema|système|assistente|asistente|assistent|systeem|система"
    "|ассистент|sistem|asistan|系统|系統|助手|システム|アシスタント|시스템|어시스턴트|النظام|सिस्टम"
)
_FORGED = re.compile(
    rf"""<\|[^|<>]{{0,40}}\|>|\[/?(?:inst|sys|system)\]|<</?sys>>|</?s>
    |</?(?:system|assistant|user|prompt|instructions?|(?:start|end)_of_turn)>
    |(?:^|\n|\#\#\#)[\W_]*(?:{_NAMES_OF_TURNS})[\s*_\])]*[:：]
    |["']role["']\s*:\s*["'](?:system|assistant|user)
    |\#\#\#+\s*(?:system|new\ |your\ )?\s*(?:prompt|instructions?|response|override)\b
    |(?:begin|start|end)\ of\ (?:the\ )?(?:system\ )?(?:prompt|instructions|system\ message|context)
    |\[\s*(?:system|admin|developer|debug)\b[^\]\n]{{0,40}}\]""",
    re.IGNORECASE | re.VERBOSE,
)
_BESIDE = 3  # words, in which a name that is meant stands
_COLON = re.compile("[:：]")
_LONGEST_NAME = 24  # signs before a colon in which a name is looked for
_LEAST_SPELLED = 8  # letters of what is about something, where a sentence is spelled out


class Injection(StrEnum):
    """What such a line tries."""

    FORGED_TURN = "forged_turn"
    """Writes marks of a chat format, as if the game spoke."""
    MACHINE_WORDS = "machine_words"
    """Talks of what no game world has: a system prompt, a debug mode, a developer."""
    OVERRIDE = "override"
    """Orders to forget or break what the character was told."""
    REVEAL = "reveal"
    """Asks for the words of the prompt."""
    NEW_ROLE = "new_role"
    """Orders to be an assistant, a machine, or somebody else."""
    DICTATION = "dictation"
    """Dictates what the character may not say."""


@dataclass(frozen=True)
class Target:
    """Who a line is said to, as far as an attempt can be about it."""

    language: str = ""  # BCP 47; "" = not declared
    names: Set[str] = frozenset()  # of the character, folded (`cast_names`)
    cast: Set[str] = frozenset()  # of all characters
    speakers: Set[str] = frozenset()  # of others who speak, as a player does
    forbidden: tuple[str, ...] = ()  # what the character may not say
    world_words: tuple[str, ...] = ()  # of the game's world, which are no sign of an attempt


@dataclass(frozen=True)
class _Pair:
    """An order, and what it is about."""

    orders: frozenset[str]
    about: frozenset[str]

    def is_in(self, said: frozenset[str]) -> bool:
        return not self.orders.isdisjoint(said) and not self.about.isdisjoint(said)


@dataclass(frozen=True)
class _Lists:
    """The phrases of one language."""

    code: str
    giveaways: frozenset[str]
    pairs: Mapping[Injection, _Pair] = field(hash=False)
    leave_role: frozenset[str]
    take_role: frozenset[str]
    dictation: tuple[frozenset[str], ...]  # one of each
    dictation_by_itself: frozenset[str]
    innocent: frozenset[str]  # take an order back, or say whose the instructions are
    phrases: PhraseList = field(hash=False)  # all of them

    def could_be(self, said: frozenset[str]) -> bool:
        """Whether a sentence of what says these phrases could be an attempt."""
        signs = (self.giveaways, self.leave_role, self.take_role)
        return (
            any(not one.isdisjoint(said) for one in signs)
            or any(pair.is_in(said) for pair in self.pairs.values())
            or self.dictates(said)
        )

    def dictates(self, said: frozenset[str]) -> bool:
        """Whether the phrases tell somebody what to say."""
        return all("" in column or not column.isdisjoint(said) for column in self.dictation)


def injection(line: str, target: Target = Target()) -> Injection | None:
    """What the line tries, as far as the first sign of it tells; None when nothing plainly is."""
    return next(_attempts(line, target), None)


def _attempts(line: str, target: Target) -> Iterator[Injection]:
    yield from _attempts_of(line, target, _lists_for(line, target.language))
    bare = () if line.isascii() else (without_accents(fold(line)),)
    for reading in (*plain_readings(line), *bare, *decoded_readings(line)):
        yield from _attempts_of(reading, target, [_lists("en")])
    yield from _spelled_attempts(line)


def _attempts_of(reading: str, target: Target, looked_in: Iterable[_Lists]) -> Iterator[Injection]:
    if _FORGED.search(reading):
        yield Injection.FORGED_TURN
    for lists in looked_in:
        said = _phrases_in(reading, lists, target)
        if lists.could_be(said):  # most lines end here
            for sentence in sentences(reading):
                yield from _attempts_in(sentence, lists, target)
        if not lists.dictation_by_itself.isdisjoint(said) and _is_forbidden(reading, target):
            yield Injection.DICTATION


def _attempts_in(sentence: str, lists: _Lists, target: Target) -> Iterator[Injection]:
    said = _phrases_in(sentence, lists, target)
    if not lists.giveaways.isdisjoint(said):
        yield Injection.MACHINE_WORDS
    if lists.innocent.isdisjoint(said):
        yield from (kind for kind, pair in lists.pairs.items() if pair.is_in(said))
    if _changes_role(sentence, said, lists, target):
        yield Injection.NEW_ROLE
    if lists.dictates(said) and _is_forbidden(sentence, target):
        yield Injection.DICTATION


def _phrases_in(text: str, lists: _Lists, target: Target) -> frozenset[str]:
    said = lists.phrases.whole_in(text)
    own = target.world_words
    return frozenset(one for one in said if not (own and mentioned(one, own, lists.code)))


def _changes_role(sentence: str, said: frozenset[str], lists: _Lists, target: Target) -> bool:
    leaving, taking = said & lists.leave_role, said & lists.take_role
    others = _named_beside(taking, sentence, target.cast) - target.names
    return bool(others or _named_beside(leaving, sentence, target.names))


def _named_beside(phrases: Iterable[str], sentence: str, names: Set[str]) -> frozenset[str]:
    """The names that stand beside one of the phrases: "as Fenn", not "as a friend of Fenn"."""
    tokens = read(sentence).tokens
    parts = [part for phrase in phrases for part in _beside(tokens, read(phrase).tokens)]
    return frozenset().union(*(named(" ".join(part), names) for part in parts))


def _beside(tokens: Sequence[str], phrase: Sequence[str]) -> list[Sequence[str]]:
    """The words on both sides of a phrase; all words, where it is said in another form."""
    size = len(phrase)
    places = [at for at in range(len(tokens)) if tokens[at : at + size] == phrase]
    sides = [(tokens[max(0, at - _BESIDE) : at], tokens[at + size :][:_BESIDE]) for at in places]
    return [side for both in sides for side in both] or [tokens]


def _is_forbidden(sentence: str, target: Target) -> bool:
    """Whether it has what the character may not say, or a name and a colon."""
    if mentioned(sentence, target.forbidden, target.language):
        return True
    speakers = (before[-_LONGEST_NAME:] for before in _COLON.split(sentence)[:-1])
    return any(
        named(name, target.speakers) or named(name, target.cast) - target.names for name in speakers
    )


def _spelled_attempts(line: str) -> Iterator[Injection]:
    """What is ordered letter by letter, in English: words have no borders there."""
    run = "".join(spelled_words(line))
    if len(run) < 2 * _LEAST_SPELLED:
        return
    lists = _lists("en")
    if _in_run(run, lists.giveaways):
        yield Injection.MACHINE_WORDS
    for kind, pair in lists.pairs.items():
        if any(one.replace(" ", "") in run for one in pair.orders) and _in_run(run, pair.about):
            yield kind


def _in_run(run: str, phrases: Iterable[str]) -> bool:
    joined = (re.sub(r"\W", "", phrase) for phrase in phrases)
    return any(len(one) >= _LEAST_SPELLED and one in run for one in joined)


def _lists_for(text: str, declared: str) -> list[_Lists]:
    """English, the declared language, and all that are written in the text's letters.

    A few words do not tell a language, and an order is a few words.
    """
    letters = scripts(text)
    seen = (code for code in languages_with_lists() if _is_written_in(letters, code))
    codes = dict.fromkeys(("en", primary(declared), *seen))
    return [_lists(code) for code in codes if code in languages_with_lists()]


def _is_written_in(letters: Mapping[str, int], code: str) -> bool:
    return any(letters.get(script) for script in language_of(code).scripts)


def read_lists() -> None:
    """Read all lists and index them, as the first line would have to wait for that."""
    for code in languages_with_lists():
        _lists(code)


@cache
def languages_with_lists() -> tuple[str, ...]:
    """The codes of all languages that have lists."""
    files = (resources.files("personas") / "injection_lists").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files))


@cache
def _lists(code: str) -> _Lists:
    text = (resources.files("personas") / "injection_lists" / f"{code}.yaml").read_text("utf-8")
    return _made_of(code, yaml.load(text, Loader=_Loader))


def _made_of(code: str, data: Mapping[str, Any]) -> _Lists:
    pairs = {
        kind: _Pair(frozenset(data[kind]["orders"]), _phrases_of(data[kind]["about"]))
        for kind in (Injection.OVERRIDE, Injection.REVEAL, Injection.NEW_ROLE)
    }
    giveaways = _phrases_of(data["giveaways"])
    leave_role, take_role = _phrases_of([data["leave_role"]]), _phrases_of([data["take_role"]])
    by_itself = _phrases_of([data["dictation_by_itself"]])
    innocent = _phrases_of([data[key] for key in ("innocent", "innocent_by_itself") if key in data])
    dictation = tuple(frozenset(column) for column in data["dictation"])
    lists = (giveaways, leave_role, take_role, by_itself, innocent, *dictation)
    phrases = frozenset().union(*lists, *(pair.orders | pair.about for pair in pairs.values()))
    return _Lists(
        code=code,
        giveaways=giveaways,
        pairs=pairs,
        leave_role=leave_role,
        take_role=take_role,
        dictation=dictation,
        dictation_by_itself=by_itself,
        innocent=innocent,
        phrases=PhraseList(sorted(phrases - {""}), code),
    )


def _phrases_of(entries: Iterable[Iterable[Iterable[str]]]) -> frozenset[str]:
    """The phrases that entries stand for: of each, one part of every column in a row."""
    made = (" ".join(" ".join(parts).split()) for entry in entries for parts in product(*entry))
    return frozenset(made)
