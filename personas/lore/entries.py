"""Lore entries: what a character is told when the conversation touches it. The closed schema.

An entry fires by a key that was said, by a pattern, by what a line means, or always; it may depend
on the state of the world, on chance and on when it was told last. `firing` decides which
entries fire. The same entries stand in a character's own lore.yaml and in the one of its world.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from personas.authored_fields import Closed, Id, Phrases, one_line
from personas.conditions import ConditionError, parse
from personas.lore.patterns import PatternRefusedError, check_pattern

MAX_ENTRIES = 20_000  # of a file
MAX_SCAN_LINES = 32


def _is_condition(text: str) -> str:
    try:
        parse(text) if text else None
    except ConditionError as error:
        raise ValueError(str(error)) from error
    return text


def _is_pattern(text: str) -> str:
    try:
        check_pattern(text)
    except PatternRefusedError as error:
        raise ValueError(str(error)) from error
    return text


#: A condition as it is written; "" = none.
ConditionText = Annotated[str, AfterValidator(_is_condition)]
#: A regular expression that is looked for in time proportional to the text.
PatternText = Annotated[
    str, StringConstraints(min_length=1, max_length=500), AfterValidator(_is_pattern)
]
EntryText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    AfterValidator(one_line),
]
Turns = Annotated[int, Field(ge=0, le=10_000)]


class Logic(StrEnum):
    """What is asked of an entry's secondary keys."""

    ANY = "any"  # one of them was said
    ALL = "all"  # each of them was
    NOT_ANY = "not_any"  # none of them was
    NOT_ALL = "not_all"  # one of them was not


class Entry(Closed):
    """One entry: what is told, when, and to whom."""

    id: Id
    text: EntryText
    keys: Phrases = ()  # one of them said fires the entry
    secondary_keys: Phrases = ()  # and these, by `logic`
    logic: Annotated[Logic, Field(strict=False)] = Logic.ANY
    patterns: Annotated[tuple[PatternText, ...], Field(max_length=8)] = ()  # as a key, by form
    by_meaning: bool = False  # as a key: a line that means something alike
    constant: bool = False  # needs no key
    priority: Annotated[int, Field(ge=-10_000, le=10_000)] = 0  # the higher stays where room lacks
    scan_lines: Annotated[int, Field(ge=1, le=MAX_SCAN_LINES)] | None = None  # None = as configured
    sticky: Turns = 0  # for so many turns after it was told, it is told again
    cooldown: Turns = 0  # for so many turns after that, it is not
    delay: Turns = 0  # turns of a conversation before it is told first
    probability: Annotated[int, Field(ge=1, le=100)] = 100  # in percent, that it fires
    when: ConditionText = ""  # on the state of the world
    audience: Annotated[tuple[Id, ...], Field(max_length=256)] = ()  # who knows it; () = everybody
    exclude_recursion: bool = False  # its keys are not looked for in other entries
    prevent_recursion: bool = False  # other entries' keys are not looked for in this one
    keywords: Phrases = ()  # any of them in a reply shows that it was passed on; for probes
    contradictions: Phrases = ()  # what nobody may say who was told it

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        if not (self.keys or self.patterns or self.by_meaning or self.constant):
            raise ValueError("never fires; give it keys, patterns, by_meaning or constant: true")
        if self.secondary_keys and not (self.keys or self.patterns):
            raise ValueError("has secondary_keys, which count beside keys or patterns alone")
        return self
