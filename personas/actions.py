"""What a character can do besides talk: declared actions with typed parameters. Pure.

An action is offered while its condition on the state of the world holds. Its parameters become a
JSON schema that the engine keeps to, so that a game gets nothing that it did not declare.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from languages.visibility import is_visible
from personas.authored_fields import Closed, Id, Name, Text
from personas.conditions import parse
from personas.lore.entries import ConditionText
from personas.variables import LARGEST_INT, NUMBERS, Kind, Value, Values

MAX_ACTIONS = 12
MAX_PARAMETERS = 8
_TOKENS_OF_PARAMETER = 16  # its name, a number and the signs between
NO_ACTION = "none"  # as a probe expects it; no action is called so

_Choices = Annotated[tuple[Annotated[Name, Field(max_length=80)], ...], Field(max_length=32)]
_Number = Annotated[int | float, Field(ge=-LARGEST_INT, le=LARGEST_INT)]


class Parameter(Closed):
    """One value that an action needs; kinds and limits are those of world variables."""

    name: Id = Field(description="What the game calls the value, such as item.")
    kind: Annotated[Kind, Field(strict=False)] = Field(
        description="bool, int and float with least and most, one_of with choices, text with"
        " longest."
    )
    choices: _Choices = Field(default=(), description="Of one_of: what may be chosen.")
    least: _Number | None = Field(default=None, description="Of a number: it is no less.")
    most: _Number | None = Field(default=None, description="Of a number: it is no more.")
    longest: int | None = Field(
        default=None, ge=1, le=200, description="Of a text: its most characters."
    )

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        if (self.kind is Kind.ONE_OF) != bool(self.choices):
            raise ValueError("one_of needs `choices`, and only one_of has any")
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("says a choice twice")
        if (self.kind is Kind.TEXT) != (self.longest is not None):
            raise ValueError("text needs `longest`, its most characters, and only text has it")
        self._require_range()
        return self

    def _require_range(self) -> None:
        bounds = (self.least, self.most)
        if (self.kind in NUMBERS) != (None not in bounds) or bounds.count(None) == 1:
            raise ValueError("int and float need both `least` and `most`, and only they have them")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"can have no value: least {self.least} is above most {self.most}")
        if self.kind is Kind.INT and not all(isinstance(bound, int) for bound in bounds):
            raise ValueError("an int has whole numbers as `least` and `most`")

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of its values."""
        match self.kind:
            case Kind.ONE_OF:
                return {"enum": list(self.choices)}
            case Kind.TEXT:
                return {"type": "string", "minLength": 1, "maxLength": self.longest}
            case Kind.BOOL:
                return {"type": "boolean"}
            case Kind.INT | Kind.FLOAT:
                kind = "integer" if self.kind is Kind.INT else "number"
                return {"type": kind, "minimum": self.least, "maximum": self.most}

    def takes(self, value: object) -> bool:
        """Whether a value is of its kind and within its limits."""
        match self.kind:
            case Kind.ONE_OF:
                return value in self.choices
            case Kind.TEXT:
                fits = isinstance(value, str) and len(value) <= (self.longest or 0)
                return fits and is_visible(str(value))
            case Kind.BOOL:
                return isinstance(value, bool)
            case Kind.INT | Kind.FLOAT:
                return self._takes_number(value)

    def kept_value(self, value: Value) -> Value:
        """A value that it takes, as it is kept: JSON writes whole floats without a point."""
        return float(value) if self.kind is Kind.FLOAT else value

    def _takes_number(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind is Kind.INT and not isinstance(value, int):
            return False
        least, most = self.least, self.most
        return least is not None and most is not None and least <= value <= most


class Action(Closed):
    """Something the character can do, and the game can carry out."""

    name: Id = Field(
        description="What the game is told: a verb and more, such as mend_item. How likely the"
        " model is to write it decides."
    )
    occasion: Text | None = Field(
        default=None,
        description="When to do it, told to the character in its prompt: the player brings"
        " something broken. Left out: nothing is told.",
    )
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=MAX_PARAMETERS)] = Field(
        default=(), description="What the game needs to know to do it."
    )
    when: ConditionText | None = Field(
        default=None,
        description="A condition on the state of the world, without which it cannot be done;"
        " left out: always.",
    )

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        if self.name == NO_ACTION:
            raise ValueError(f"is called {NO_ACTION!r}, which says that nothing is done")
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) < len(names):
            raise ValueError("names a parameter twice")
        return self

    @property
    def spoken(self) -> str:
        """Its name as words: "mend item"."""
        return as_words(self.name)

    @property
    def json_schema(self) -> str:
        """The JSON schema of its arguments, as text."""
        schemas = {parameter.name: parameter.json_schema for parameter in self.parameters}
        return json.dumps(
            {
                "type": "object",
                "properties": schemas,
                "required": list(schemas),
                "additionalProperties": False,
            },
            ensure_ascii=False,
        )

    @property
    def most_tokens(self) -> int:
        """Tokens that its arguments may have as JSON; a byte of a text may be one."""
        texts = sum(one.longest or max(map(len, one.choices), default=0) for one in self.parameters)
        return _TOKENS_OF_PARAMETER * (1 + len(self.parameters)) + texts

    def possible(self, world: Values) -> bool:
        """Whether it can be done in this state of the world; never by what nobody has told."""
        if self.when is None:
            return True
        condition = parse(self.when)
        return condition.names <= world.keys() and condition.holds(world)


Actions = Annotated[tuple[Action, ...], Field(max_length=MAX_ACTIONS)]


def possible_actions(actions: Iterable[Action], world: Values) -> tuple[Action, ...]:
    """Those of the actions whose conditions hold."""
    return tuple(action for action in actions if action.possible(world))


def as_words(name: str) -> str:
    """An action's name as words."""
    return name.replace("_", " ").replace("-", " ")


class ArgumentsRefusedError(ValueError):
    """What was written as an action's arguments are none."""


def arguments_of(action: Action, text: str) -> dict[str, Value]:
    """The arguments that a JSON text gives an action. Raises ArgumentsRefusedError."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ArgumentsRefusedError(f"{action.name}: {text[:80]!r} is no JSON") from error
    if not isinstance(given, Mapping) or given.keys() != {one.name for one in action.parameters}:
        raise ArgumentsRefusedError(f"{action.name}: {text[:80]!r} are not its parameters")
    for parameter in action.parameters:
        if not parameter.takes(given[parameter.name]):
            shown = f"{parameter.name} = {given[parameter.name]!r}"
            raise ArgumentsRefusedError(f"{action.name}: {shown} is out of its limits")
    return {one.name: one.kept_value(given[one.name]) for one in action.parameters}
