"""Whatever schema is taken, every reply under it is one that `jsonschema` finds right."""

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.protocol import Sampling
from npc_server.engine.sampling.forms import Form, Forms

#: What JSON is made of, some letters, a character of several bytes, and longer tokens over them.
CHARACTERS = [bytes([byte]) for byte in b'{}[]":, -.+eE0123456789abcdxyzTZ@tfrulsnoi\\/'] + [
    b"\xc3",
    b"\xa9",
]
TOKENS = [b'", "', b'":', b": ", b"10", b"ab", b'{"', b'"}', b"true", b"null", b"false", b"[]"]
PIECES = [*CHARACTERS, *TOKENS, b""]
FORMS = Forms(PIECES, end=len(PIECES) - 1)
CLOSING = [i for i, piece in enumerate(PIECES) if piece in (b'"', b"]", b"}", b'"}')]

NAMES = st.sampled_from(["a", "b", "ab", "c/d", "é"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-20, 20), st.sampled_from(["", "a", 'ab"', "é", "10"]),
    st.lists(st.integers(0, 3), max_size=2), st.dictionaries(NAMES, st.booleans(), max_size=2),
)  # fmt: skip
LENGTHS = {
    f"{bound}{of}": st.integers(low, low + 3)
    for of in ("Length", "Items")
    for bound, low in (("min", 0), ("max", 2))
}
NUMBERS = {
    "minimum": st.integers(-30, 5), "maximum": st.integers(0, 30),
    "exclusiveMinimum": st.integers(-30, 5), "exclusiveMaximum": st.integers(1, 30),
    "multipleOf": st.integers(1, 7),
}  # fmt: skip
TEXTS = {
    "pattern": st.sampled_from(["^a", "b$", "^[ab]{1,3}$", "a|10", r"\d", "^(ab)+?$", "x.z"]),
    "format": st.sampled_from(["date", "date-time", "email", "ipv4", "uuid", "time"]),
}
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"])
VALUE_KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "const": VALUES,
    **LENGTHS, **NUMBERS, **TEXTS,
}  # fmt: skip


def nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of any mixture of keywords, most of them with a type."""
    keywords = {
        **VALUE_KEYWORDS,
        "properties": st.dictionaries(NAMES, children, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": children,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "^c"]), children, max_size=2),
        "minProperties": st.just(1),
        "maxProperties": st.integers(0, 3),
        "items": children,
        "prefixItems": st.lists(children, min_size=1, max_size=2),
        "anyOf": st.lists(children, min_size=1, max_size=3),
        "oneOf": st.lists(children, min_size=1, max_size=2),
        "allOf": st.lists(children, min_size=1, max_size=2),
        "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two", "#"]),
    }
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    typed = st.sampled_from([["type"], []])
    return st.builds(lambda keys, more: {*keys, *more}, chosen, typed).flatmap(
        lambda keys: st.fixed_dictionaries({key: keywords[key] for key in sorted(keys)})
    )


SCHEMAS = st.recursive(st.booleans() | nodes(st.booleans()), nodes, max_leaves=6)
WITH_DEFINITIONS = st.builds(
    lambda schema, one, two: {**schema, "$defs": {"one": one, "two": two}},
    nodes(SCHEMAS), SCHEMAS, SCHEMAS,
)  # fmt: skip


def reply(form: Form, choose: random.Random) -> str | None:
    """Any reply to its end; None where it goes on and on."""
    said = b""
    for count in range(300):
        if form.may_end and (form.must_end or choose.random() < 0.3):
            return said.decode()
        allowed = form.possible().tolist()
        if form.may_end and not allowed:
            return said.decode()
        closing = [token for token in allowed if token in CLOSING]
        token = choose.choice(closing if closing and count > 20 else allowed)
        assert form.allows(token)
        form.accept(token)
        said += PIECES[token]
    return None


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(WITH_DEFINITIONS, st.integers(0, 2**32))
def test_a_reply_keeps_to_any_schema_that_is_taken(schema: dict[str, Any], seed: int) -> None:
    try:
        form = FORMS.begin(Sampling(json_schema=json.dumps(schema)))
    except RequestRejectedError as error:
        event("refused: " + str(error).partition(":")[2][:40])
        assume(False)
    assert form is not None
    text = reply(form, random.Random(seed))
    event("ended" if text is not None else "went on")
    assume(text is not None)
    assert text is not None
    errors = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    ).iter_errors(json.loads(text))
    assert [error.message for error in errors] == []
