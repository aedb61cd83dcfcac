"""Conditions: what they say of a world's state, and what is told of those that say nothing."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.conditions import MAX_CHARACTERS, ConditionError, faults, parse
from personas.variables import Kind, Value, Variable

VARIABLES = {
    variable.name: variable
    for variable in (
        Variable(name="quest.mill", kind=Kind.INT, default=0, least=0, most=2),
        Variable(name="weather", kind=Kind.ONE_OF, default="sun", choices=("sun", "rain")),
        Variable(name="gate_open", kind=Kind.BOOL, default=False),
        Variable(name="gold", kind=Kind.FLOAT, default=0.0),
    )
}
VALUES: dict[str, Value] = {"quest.mill": 2, "weather": "sun", "gate_open": False, "gold": 2.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('quest.mill >= 2 and not weather == "rain"', True),
        ("gate_open", False),
        ("not gate_open", True),
        ("quest.mill == gold", True),
        ("0 < quest.mill and quest.mill < 2", False),
        ("gate_open == false", True),
        ("weather != 'rain'", True),
        ("true or gate_open and gate_open", True),
        ("(true or gate_open) and gate_open", False),
        ("not gate_open and gold > 9", False),
        ("gold > -1.5", True),
    ],
)
def test_a_condition_holds_where_it_is_true_of_the_values(text: str, expected: bool) -> None:
    condition = parse(text)
    assert faults(condition, VARIABLES) == ()
    assert condition.holds(VALUES) is expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("quest.mil >= 2", "no variable 'quest.mil'; known: gate_open, gold, quest.mill, weather."),
        ("quest.mil >= 2", "Did you mean 'quest.mill'?"),
        ('weather == "rian"', "weather takes one of sun, rain; got \"rian\"; did you mean 'rain'?"),
        ("quest.mill == 3", "quest.mill takes a whole number, at least 0, at most 2; got 3"),
        ('weather > "rain"', "> compares numbers; weather is one_of"),
        ('quest.mill >= "2"', 'quest.mill is int and "2" is text'),
        ("gate_open == 1", "gate_open is bool and 1 is int"),
        ("not quest.mill", "quest.mill is int, which is neither true nor false; compare it"),
    ],
)
def test_what_the_declarations_rule_out_is_told(text: str, what: str) -> None:
    assert any(what in fault for fault in faults(parse(text), VARIABLES))


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("quest.mill > 2", True),
        ("quest.mill == 1 and quest.mill == 2", True),
        ("quest.mill > 0 and quest.mill < 2", False),
        ("gold > 1 and gold < 2", False),
        ("gold > 2 and gold < 1", True),
        ('weather != "sun" and weather != "rain"', True),
        ("gate_open and not gate_open", True),
        ("gold < quest.mill and quest.mill < gold", False),  # two variables are not judged
        ("false", True),
    ],
)
def test_a_condition_that_can_never_hold_is_told(text: str, never: bool) -> None:
    assert faults(parse(text), VARIABLES) == (
        ("can never hold, whatever the values",) if never else ()
    )


def test_every_undeclared_name_of_a_condition_is_told() -> None:
    assert len(faults(parse("a.b == 1 or (c and not d)"), VARIABLES)) == 3


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "ends where a variable, a number"),
        ("quest.mill = 2", "has = at character 12; write =="),
        ("gate_open && true", "has && at character 11; write and"),
        ("(gate_open", "ends where `)` should follow"),
        ("1 < gold < 3", "has < at character 10; expected `and`"),
        ('weather == "sun', 'has " at character 12; the quote is not closed'),
        ("gate_open gold", "has gold at character 11; expected `and`, `or` or the end"),
        ('__import__("os")', "has ( at character 11"),
        ("gold == 1.2.3", "has 1.2.3 at character 9"),
        ("(" * 20 + "true" + ")" * 20, "is nested deeper than 16 levels"),
        ("not " * 20 + "true", "is nested deeper than 16 levels"),
        ("x" * (MAX_CHARACTERS + 1), "has 301 characters; a condition has at most 300"),
    ],
)
def test_a_text_that_is_no_condition_is_refused_at_its_place(text: str, what: str) -> None:
    with pytest.raises(ConditionError) as refused:
        parse(text)
    assert what in str(refused.value)


def test_a_condition_tells_which_variables_it_asks_about() -> None:
    assert parse('a.b == 1 or (c and not d == "x")').names == {"a.b", "c", "d"}


@given(st.text(alphabet='ab1.="()<>!&| \n', max_size=60) | st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    with suppress(ConditionError):
        assert parse(text).text == text
