"""JSON of strangers is read as it is, or refused with the place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.cards.strict_json import MAX_BYTES, MAX_DEPTH, json_bytes, read_json
from personas.errors import CardError
from tests.support.broken_cards import refusal

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b'{"a": 1,\n "b" 2}', "line 2, column 6: no JSON", id="syntax"),
        pytest.param(b'{"a": 1, "a": 2}', "key 'a' is given twice", id="key twice"),
        pytest.param(b'{"a": {"b": 1, "b": 1}}', "key 'b' is given twice", id="key twice within"),
        pytest.param(b'{"a": NaN}', "NaN is no number of JSON", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is no number", id="infinity"),
        pytest.param(b'{"a": 1e999}', "'1e999' is too large", id="too large a float"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "5000 digits", id="too long an integer"),
        pytest.param(b'{"a": "\\ud83d"}', "half a sign, U\\+D83D", id="half a sign"),
        pytest.param(b'{"a": [["\\ud83d"]]}', "half a sign, U\\+D83D", id="half a sign in lists"),
        pytest.param(b'{"a": "\xff"}', "line 1: not UTF-8", id="not UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "UTF-16 text; save", id="UTF-16"),
        pytest.param(b"[" * 100_000, "nested deeper than 64", id="depth bomb"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper", id="depth of objects"),
        pytest.param(b"", "line 1, column 1: no JSON", id="nothing"),
        pytest.param(b" " * (MAX_BYTES + 1), "at most 8", id="too large"),
    ],
)
def test_what_two_programs_might_read_differently_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(CardError, match=rf"card\.json: .*{why}"):
        read_json(content, "card.json")


@settings(deadline=None)
@given(VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    assert read_json(json_bytes(value), "card") == value  # type: ignore[arg-type] # no JSON type here


def test_brackets_within_texts_are_no_depth() -> None:
    text = '"[' * 500 + "["
    assert read_json(json.dumps([text]).encode(), "card") == [text]


def test_the_deepest_permitted_value_is_read() -> None:
    content = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert b"".join(json_bytes(read_json(content, "card")).split()) == content


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    why = refusal(lambda: read_json(content, "card"))
    assert not why or why.startswith("card: ")
