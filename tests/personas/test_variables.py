"""Variables of a world: which values they take, and how those are written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from personas.variables import (
    Kind,
    Value,
    ValueRefusedError,
    Variable,
    accepted_values,
    assigned_values,
    default_values,
)

MILL = Variable(name="quest.mill", kind=Kind.INT, default=0, least=0, most=2)
WEATHER = Variable(name="weather", kind=Kind.ONE_OF, default="sun", choices=("sun", "rain"))
GOLD = Variable(name="gold", kind=Kind.FLOAT, default=5)
OPEN = Variable(name="gate_open", kind=Kind.BOOL, default=False)
MOTTO = Variable(name="motto", kind=Kind.TEXT, default="")
VARIABLES = {one.name: one for one in (MILL, WEATHER, GOLD, OPEN, MOTTO)}


@pytest.mark.parametrize(
    ("variable", "value"),
    [(MILL, 2), (WEATHER, "rain"), (GOLD, -0.5), (OPEN, True), (MOTTO, "Mind the sparks.")],
)
def test_a_value_of_its_kind_is_taken(variable: Variable, value: Value) -> None:
    assert variable.accepted_value(value) == value


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        (MILL, 3, "quest.mill takes a whole number, at least 0, at most 2; got 3"),
        (MILL, True, "got true"),
        (MILL, 1.0, "got 1.0"),
        (MILL, "1", 'got "1"'),
        (WEATHER, "rian", "did you mean 'rain'?"),
        (GOLD, float("nan"), "got NaN"),
        (OPEN, 1, "gate_open takes true or false; got 1"),
        (MOTTO, "x" * 201, "at most 200 characters"),
    ],
)
def test_another_value_is_refused_with_what_would_do(
    variable: Variable, value: Value, what: str
) -> None:
    with pytest.raises(ValueRefusedError) as refused:
        variable.accepted_value(value)
    assert what in str(refused.value)


def test_a_whole_number_is_kept_as_a_float_where_floats_are() -> None:
    assert type(accepted_values({"gold": 3}, VARIABLES)["gold"]) is float
    assert type(default_values(VARIABLES)["gold"]) is float


def test_assignments_are_read_by_the_kind_of_their_variable() -> None:
    written = ["quest.mill=2", "weather = rain", "gold=1e3", "gate_open=TRUE", "motto=a=b"]
    assert assigned_values(written, VARIABLES) == {
        "quest.mill": 2,
        "weather": "rain",
        "gold": 1000.0,
        "gate_open": True,
        "motto": "a=b",
    }


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("quest.mil=2", "Did you mean 'quest.mill'?"),
        ("quest.mill=two", 'got "two"'),
        ("weather", "'weather' assigns nothing; write NAME=VALUE"),
        ("gate_open=yes", 'gate_open takes true or false; got "yes"'),
    ],
)
def test_an_assignment_that_says_nothing_is_refused(written: str, what: str) -> None:
    with pytest.raises(ValueRefusedError) as refused:
        assigned_values([written], VARIABLES)
    assert what in str(refused.value)


@pytest.mark.parametrize(
    ("declaration", "what"),
    [
        ({"kind": "one_of", "default": "x"}, "one_of needs `choices`"),
        ({"kind": "text", "default": "x", "choices": ("x",)}, "only one_of has any"),
        ({"kind": "one_of", "default": "z", "choices": ("x", "y")}, 'got "z"'),
        ({"kind": "bool", "default": True, "least": 0}, "only a number"),
        ({"kind": "int", "default": 5, "most": 2}, "at most 2; got 5"),
        ({"kind": "int", "default": 0, "name": "Quest Mill"}, "string_pattern_mismatch"),
    ],
)
def test_a_declaration_without_sense_is_refused(declaration: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Variable.model_validate({"name": "a", **declaration})
    assert what in str(refused.value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("the Merry Widow", "It says the Merry Widow."),
        ("St. 2.5", 'It says "St. 2.5".'),
        ("Hi. You remember: she lied", 'It says "Hi. You remember: she lied".'),
        ('a "b"]\n[c', "It says a 'b') (c."),
    ],
)
def test_a_text_cannot_tell_anything_else(value: str, told: str) -> None:
    motto = MOTTO.model_copy(update={"tell": "It says {value}."})
    assert motto.note_of(value) == told
