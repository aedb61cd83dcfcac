"""Actions: what a designer may declare, and what a game may get."""

import json

import pytest
from pydantic import ValidationError

from npc_server.engine.sampling.json_schema import read_schema
from personas.actions import (
    Action,
    ArgumentsRefusedError,
    Parameter,
    arguments_of,
    possible_actions,
)

SELL = Action.model_validate(
    {
        "name": "sell",
        "parameters": (
            {"name": "item", "kind": "one_of", "choices": ("rye", "wheat")},
            {"name": "coins", "kind": "int", "least": 1, "most": 9},
            {"name": "weight", "kind": "float", "least": 0.5, "most": 2},
            {"name": "sliced", "kind": "bool"},
            {"name": "note", "kind": "text", "longest": 8},
        ),
    }
)
RIGHT = {"item": "rye", "coins": 2, "weight": 1, "sliced": True, "note": "warm"}


def test_the_schema_is_one_that_the_engine_keeps_to() -> None:
    assert read_schema(SELL.json_schema)
    assert list(json.loads(SELL.json_schema)["properties"]) == list(RIGHT)


def test_arguments_within_their_limits_are_kept_with_their_kinds() -> None:
    kept = arguments_of(SELL, json.dumps(RIGHT))
    assert kept == RIGHT
    assert [type(value) for value in kept.values()] == [str, int, float, bool, str]


@pytest.mark.parametrize(
    "wrong",
    [
        {"item": "oats"},
        {"coins": 0},
        {"coins": True},
        {"coins": 2.5},
        {"weight": 3},
        {"weight": "1"},
        {"sliced": 1},
        {"note": "far too long"},
        {"note": " "},
        {"more": 1},
    ],
    ids=str,
)
def test_arguments_out_of_their_limits_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ArgumentsRefusedError, match="sell: "):
        arguments_of(SELL, json.dumps(RIGHT | wrong))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"item": "rye"}'])
def test_a_text_cut_off_is_no_arguments(text: str) -> None:
    with pytest.raises(ArgumentsRefusedError):
        arguments_of(SELL, text)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"kind": "one_of"}, "one_of needs `choices`"),
        ({"kind": "one_of", "choices": ("a", "a")}, "says a choice twice"),
        ({"kind": "bool", "choices": ("a",)}, "only one_of has any"),
        ({"kind": "text"}, "text needs `longest`"),
        ({"kind": "int"}, "need both `least` and `most`"),
        ({"kind": "int", "least": 1}, "need both `least` and `most`"),
        ({"kind": "int", "least": 5, "most": 1}, "can have no value: least 5 is above most 1"),
        ({"kind": "int", "least": 0.5, "most": 1}, "an int has whole numbers"),
        ({"kind": "bool", "least": 0, "most": 1}, "only they have them"),
    ],
    ids=str,
)
def test_a_parameter_that_cannot_be_met_is_refused(keys: dict[str, object], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Parameter.model_validate({"name": "p", **keys})


def test_a_parameter_named_twice_and_a_broken_condition_are_refused() -> None:
    twice = ({"name": "p", "kind": "bool"}, {"name": "p", "kind": "bool"})
    with pytest.raises(ValidationError, match="names a parameter twice"):
        Action.model_validate({"name": "sell", "parameters": twice})
    with pytest.raises(ValidationError, match="ends where"):
        Action.model_validate({"name": "sell", "when": "quest.mill >="})
    with pytest.raises(ValidationError, match="says that nothing is done"):
        Action.model_validate({"name": "none"})


def test_an_action_is_possible_while_its_condition_holds() -> None:
    gated = Action(name="open_gate", when="quest.mill >= 2")
    always = Action(name="wave")
    assert possible_actions((gated, always), {"quest.mill": 1}) == (always,)
    assert possible_actions((gated, always), {"quest.mill": 2}) == (gated, always)
