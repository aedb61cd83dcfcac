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

    id: Id = Field(description="A name for it, in reports.")
    text: EntryText = Field(description="What is told to the character, in a sentence or some.")
    keys: Phrases = Field(default=(), description="One of them said fires the entry.")
    secondary_keys: Phrases = Field(
        default=(), description="These are asked for, too, as `logic` says."
    )
    logic: Annotated[Logic, Field(strict=False)] = Field(
        default=Logic.ANY,
        description="Which secondary keys must be said: any, all, not_any, not_all.",
    )
    patterns: Annotated[tuple[PatternText, ...], Field(max_length=8)] = Field(
        default=(), description="Regular expressions that fire it as keys do."
    )
    by_meaning: bool = Field(
        default=False, description="true: a line that means something alike fires it."
    )
    constant: bool = Field(default=False, description="true: it is always told.")
    priority: Annotated[int, Field(ge=-10_000, le=10_000)] = Field(
        default=0, description="Where room lacks, the higher stays."
    )
    scan_lines: Annotated[int, Field(ge=1, le=MAX_SCAN_LINES)] | None = Field(
        default=None, description="How many lines are searched; left out: as configured."
    )
    sticky: Turns = Field(
        default=0, description="For so many turns after it was told, it is told again."
    )
    cooldown: Turns = Field(default=0, description="For so many turns after that, it is not.")
    delay: Turns = Field(
        default=0, description="Turns of a conversation before it is told for the first time."
    )
    probability: Annotated[int, Field(ge=1, le=100)] = Field(
        default=100, description="How likely it fires, in percent."
    )
    when: ConditionText = Field(
        default="", description="A condition on the state of the world: quest.mill >= 2."
    )
    audience: Annotated[tuple[Id, ...], Field(max_length=256)] = Field(
        default=(), description="Ids of the characters that know it; left out: everybody."
    )
    exclude_recursion: bool = Field(
        default=False, description="true: its keys are not looked for in other entries."
    )
    prevent_recursion: bool = Field(
        default=False, description="true: keys of other entries are not looked for in it."
    )
    keywords: Phrases = Field(
        default=(), description="Any of them in a reply shows that it was passed on; for probes."
    )
    contradictions: Phrases = Field(
        default=(), description="What nobody says who was told it; the gate counts it."
    )

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        if not (self.keys or self.patterns or self.by_meaning or self.constant):
            raise ValueError("never fires; give it keys, patterns, by_meaning or constant: true")
        if self.secondary_keys and not (self.keys or self.patterns):
            raise ValueError("has secondary_keys, which count beside keys or patterns alone")
        return self
