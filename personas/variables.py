"""What the state of a world is made of: variables with a kind, a default and limits. Pure.

A game reports values, and a designer writes conditions on them. Both are held to the declaration,
so that a misspelt name or a text in place of a number is found where it is written.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from personas.known_names import nearest, no_such
from personas.notes import in_one_line, quotation, without_quotes

Value = bool | int | float | str
Values = Mapping[str, Value]

NAME_PATTERN = r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*"
MAX_TEXT_CHARACTERS = 200
LARGEST_INT = 2**53  # beyond it, the numbers of JSON and of many game engines are not exact

VariableName = Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$", max_length=64)]
_Choice = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
_INT = re.compile(r"[+-]?\d{1,20}")
_FLOAT = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
VALUE = "{value}"
_BRACES = re.compile(r"\{[^{}]*\}?|\}")
#: A mark between sentences, or before what is said; not one within a number.
_SENTENCES = re.compile(r"[.!?:;\u2026](?!\d)(?=.)|[\u3002\uff01\uff1f\uff1a\u0964\u061f]")
_BOOL = {"true": True, "false": False}


class Kind(StrEnum):
    """What values a variable takes."""

    BOOL = "bool"  # true or false
    INT = "int"  # a whole number
    FLOAT = "float"  # any finite number
    TEXT = "text"  # at most MAX_TEXT_CHARACTERS
    ONE_OF = "one_of"  # one of `choices`


NUMBERS = frozenset({Kind.INT, Kind.FLOAT})
TEXTS = frozenset({Kind.TEXT, Kind.ONE_OF})
_IN_WORDS = {
    Kind.BOOL: "true or false",
    Kind.INT: "a whole number",
    Kind.FLOAT: "a number",
    Kind.TEXT: f"a text of at most {MAX_TEXT_CHARACTERS} characters",
    Kind.ONE_OF: "one of",
}


@dataclass(frozen=True)
class Written:
    """A value as people write it, to be read by the kind of its variable: `2`, `true`, `rain`."""

    text: str


class ValueRefusedError(ValueError):
    """A value that its variable cannot take, or one of a variable that nobody declared."""


class Variable(BaseModel):
    """One value of a world's state: its name, what it may be, and what it is at first."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: VariableName = Field(description="What conditions and the game call it: quest.mill.")
    kind: Annotated[Kind, Field(strict=False)] = Field(
        description="What values it takes: bool, int, float, text or one_of."
    )
    default: Value = Field(description="Its value before anything has happened.")
    choices: Annotated[tuple[_Choice, ...], Field(max_length=64)] = Field(
        default=(), description="What one_of chooses from."
    )
    least: int | float | None = Field(default=None, description="The least number it takes.")
    most: int | float | None = Field(default=None, description="The largest number it takes.")
    tell: Annotated[str, StringConstraints(max_length=300)] = Field(
        default="", description="What a character is told unless it is as by default; {value}."
    )

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        if (self.kind is Kind.ONE_OF) != bool(self.choices):
            raise ValueError("one_of needs `choices`, and only one_of has any")
        if self.kind not in NUMBERS and (self.least, self.most) != (None, None):
            raise ValueError("only a number (int, float) has `least` and `most`")
        self.accepted_value(self.default)
        if set(_BRACES.findall(self.tell)) - {VALUE}:
            raise ValueError(f"`tell` fills in {VALUE} and nothing else")
        return self

    def note_of(self, value: Value) -> str:
        """What a character is told of a value; "" = nothing, as for the default."""
        if value == self.default:
            return ""
        return self.tell.replace(VALUE, self._wording(value))

    def _wording(self, value: Value) -> str:
        """A value within a sentence; a text that holds sentences of its own is quoted."""
        if isinstance(value, float):
            return f"{value:g}"
        if self.kind is not Kind.TEXT:
            return str(value)
        text = in_one_line(str(value))
        return quotation(text) if _SENTENCES.search(text) else without_quotes(text)

    @property
    def values_in_words(self) -> str:
        """What it may be: `a whole number, at least 0, at most 2`."""
        limits = (("at least", self.least), ("at most", self.most))
        named = [f"{which} {limit}" for which, limit in limits if limit is not None]
        named += [" ".join((_IN_WORDS[self.kind], ", ".join(self.choices))).strip()]
        return ", ".join((named[-1], *named[:-1]))

    def accepted_value(self, value: Value) -> Value:
        """The value as it is kept, which for a float is a float. Raises ValueRefusedError."""
        if not self._takes(value):
            shown = json.dumps(value, ensure_ascii=False)[:80]
            near = nearest(value, self.choices) if isinstance(value, str) else ""
            hint = f"; did you mean {near!r}?" if near else ""
            raise ValueRefusedError(f"{self.name} takes {self.values_in_words}; got {shown}{hint}")
        return float(value) if self.kind is Kind.FLOAT else value

    def samples(self) -> tuple[Value, ...]:
        """Values that it surely takes: all of a few, the ends of many."""
        if self.kind is Kind.BOOL:
            return (False, True)
        if self.kind is Kind.ONE_OF:
            return self.choices
        ends = (end for end in (self.least, self.most) if end is not None)
        return (self.accepted_value(self.default), *ends)

    def _takes(self, value: Value) -> bool:
        if isinstance(value, bool) or self.kind is Kind.BOOL:
            return isinstance(value, bool) and self.kind is Kind.BOOL
        if isinstance(value, str):
            fits = len(value) <= MAX_TEXT_CHARACTERS if self.kind is Kind.TEXT else False
            return fits or (self.kind is Kind.ONE_OF and value in self.choices)
        return self._takes_number(value)

    def _takes_number(self, value: int | float) -> bool:
        if self.kind is Kind.INT:
            fits = isinstance(value, int) and abs(value) <= LARGEST_INT
        else:
            fits = self.kind is Kind.FLOAT and math.isfinite(value)
        least = -math.inf if self.least is None else self.least
        most = math.inf if self.most is None else self.most
        return fits and least <= value <= most

    def value_of(self, text: str) -> Value:
        """The value that a text writes, as in `quest.mill=2`. Raises ValueRefusedError."""
        if self.kind is Kind.BOOL and text.lower() in _BOOL:
            return _BOOL[text.lower()]
        if self.kind is Kind.INT and _INT.fullmatch(text):
            return self.accepted_value(int(text))
        if self.kind is Kind.FLOAT and _FLOAT.fullmatch(text):
            return self.accepted_value(float(text))
        return self.accepted_value(text)


Variables = Mapping[str, Variable]


def variable_named(name: str, variables: Variables) -> Variable:
    """The variable of that name. Raises ValueRefusedError, with the name that was meant."""
    if name not in variables:
        raise ValueRefusedError(no_such("variable", name, variables.keys()))
    return variables[name]


def accepted_values(
    values: Mapping[str, Value | Written], variables: Variables
) -> dict[str, Value]:
    """The values as they are kept. Raises ValueRefusedError for the first that is refused."""
    accepted = {}
    for name, value in values.items():
        variable = variable_named(name, variables)
        read = variable.value_of(value.text) if isinstance(value, Written) else value
        accepted[name] = variable.accepted_value(read)
    return accepted


def assigned_values(assignments: Iterable[str], variables: Variables) -> dict[str, Value]:
    """The values that texts like `quest.mill=2` assign. Raises ValueRefusedError."""
    values = {}
    for assignment in assignments:
        name, sign, text = assignment.partition("=")
        if not sign:
            raise ValueRefusedError(f"{assignment!r} assigns nothing; write NAME=VALUE")
        values[name.strip()] = Written(text.strip())
    return accepted_values(values, variables)


def default_values(variables: Variables) -> dict[str, Value]:
    """What the variables are before anything has happened."""
    return {name: variable.accepted_value(variable.default) for name, variable in variables.items()}
