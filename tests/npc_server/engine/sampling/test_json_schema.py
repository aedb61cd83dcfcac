"""Replies keep to a schema, or it is refused with what it asks too much."""

import json
import time
from typing import Any

import pytest

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.protocol import Sampling
from npc_server.engine.sampling.forms import Form, Forms
from npc_server.engine.sampling.json_schema import read_schema

FORMS = Forms([*(bytes([byte]) for byte in range(256)), b""], end=256)


def begun(schema: Any) -> Form:
    form = FORMS.begin(Sampling(json_schema=json.dumps(schema)))
    assert form is not None
    return form


def takes(schema: Any, text: str) -> bool:
    """Whether a reply under the schema may be this text."""
    form = begun(schema)
    for byte in text.encode():
        if form.must_end or not form.allows(byte):
            return False
        form.accept(byte)
    return form.may_end


MOOD = {"mood": {"enum": ["calm", "angry"]}, "say": {"type": "string"}}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
CAT = {"type": "object", "properties": {"is": {"const": "cat"}}, "required": ["is"]}
DOG = {"type": "object", "properties": {"is": {"const": "dog"}}, "required": ["is"]}


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        pytest.param({"type": "object", "properties": MOOD, "required": ["mood"]},
            ['{"mood": "calm", "say": "Aye."}', '{"mood":"angry"}'],
            ['{"say": "Aye.", "mood": "calm"}', '{"mood": "sad"}', "{}"], id="order"),
        pytest.param({"type": ["object", "null"], "properties": MOOD, "required": ["mood"],
            "additionalProperties": False}, ['{"mood": "calm"}', "null"],
            ['{"nick": "Mira"}', '{"mood": "x"}'], id="object-or-null"),
        pytest.param({"type": ["string", "null"], "maxLength": 3}, ['"abc"', "null"], ['"abcd"'],
            id="string-or-null"),
        pytest.param({"$ref": "#/$defs/name", "maxLength": 3, "$defs": {"name": {"type":
            "string"}}}, ['"abc"'], ['"abcd"', "1"], id="reference-and-length"),
        pytest.param({"type": "string", "format": "email"}, ['"a@b.org"'], ['"Mira"'], id="email"),
        pytest.param({"type": "string", "format": "date"}, ['"2024-02-28"'],
            ['"2023-02-29"', '"2024-04-31"', '"0000-01-01"'], id="date"),
        pytest.param({"type": "integer", "minimum": -3, "maximum": 17}, ["-3", "0", "17"],
            ["-4", "18", "03", "1.5"], id="range"),
        pytest.param({"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}, ["0.5", "12"],
            ["0", "0.3", "-1"], id="steps"),
        pytest.param({"type": "string", "maxLength": 5000}, ['"' + "é" * 5000 + '"'],
            ['"' + "é" * 5001 + '"'], id="long"),
        pytest.param({"type": "array", "items": {"type": "string", "maxLength": 2}, "minItems": 1},
            ['["ab", "c"]'], ["[]", '["abc"]'], id="items"),
        pytest.param({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "items": False, "minItems": 2}, ['[1, "a"]'], ["[1]", '[1, "a", 2]'], id="places"),
        pytest.param({"prefixItems": [{"type": "integer"}], "items": {"$ref": "#/prefixItems/0"}},
            ["[1, 2]"], ['[1, "a"]'], id="reference-into-a-list"),
        pytest.param({"type": "object", "properties": {"n": {"type": "integer"}, "child":
            {"$ref": "#"}}, "required": ["n"]}, ['{"n": 1, "child": {"n": 2}}'],
            ['{"n": 1, "child": {}}'], id="reference-to-all"),
        pytest.param({"allOf": [{"$ref": "#/$defs/node"}], "title": "t", "$defs": {"node": NODE}},
            ['{"next": {"next": {}}}'], ['{"next": 1}'], id="all-of-one-reference"),
        pytest.param({"oneOf": [{"$ref": "#/$defs/c"}, {"$ref": "#/$defs/d"}],
            "discriminator": {"propertyName": "is"}, "$defs": {"c": CAT, "d": DOG}},
            ['{"is": "cat"}', '{"is": "dog"}'], ["{}"], id="one-of-with-a-mark"),
        pytest.param({"type": "object", "additionalProperties": {"type": "integer"}},
            ['{"a": 1, "b": 2}', "{}"], ['{"a": "x"}'], id="map"),
        pytest.param({"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties":
            False}, ['{"ab": 1}'], ['{"ab": "x"}', '{"b": 1}'], id="named-by-pattern"),
        pytest.param({"type": "string", "pattern": r"^\d{3}-[a-z]+$"}, ['"123-ab"'],
            ['"123-"', '"x123-ab"'], id="pattern"),
        pytest.param({"type": "string", "pattern": "b"}, ['"abc"'], ['"ac"'], id="found-anywhere"),
        pytest.param({"const": {"a": [1, 'é"\n']}}, ['{"a": [1, "é\\"\\n"]}'], ['{"a": [1, "é"]}'],
            id="constant"),
        pytest.param({"properties": MOOD}, ['{"mood": "calm"}'], ['"calm"', '{"x": 1}'],
            id="properties-mean-an-object-without-others"),
        pytest.param({"properties": {"a": {"const": 1}}, "anyOf": [{"required": ["a"]},
            {"required": ["b"]}], "type": "object"}, ['{"a": 1}', '{"b": 2}'], ["{}", '{"a": 2}'],
            id="choice-beside-properties"),
    ],
)  # fmt: skip
def test_a_reply_keeps_to_its_schema(schema: Any, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not takes(schema, text)] == []
    assert [text for text in wrong if takes(schema, text)] == []


def test_a_blank_stands_behind_colon_and_comma_at_most() -> None:
    schema = {"type": "array", "items": {"type": "object", "properties": {"a": {"const": 1}}}}
    assert takes(schema, '[{"a": 1}, {"a":1},{}]')
    assert not takes(schema, '[{"a":  1}]')
    assert not takes(schema, '[ {"a": 1}]')
    assert not takes(schema, '[{"a": 1},\n{}]')


@pytest.mark.parametrize("text", ['"a\nb"', '"a\tb"', '"\x00"', '"\x1f"', '"\\q"', '"a"b"'])
def test_a_text_that_json_does_not_read_is_never_written(text: str) -> None:
    assert not takes({"type": "string"}, text)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"type" "object"}', " line 1, column 9: expecting ':' delimiter"),
        ('{\n"type": "objekt"}', " at /: 'type' is \"objekt\"; use one of object"),
        ('{"properties": {"a/b": {"type": 7}}}', " at /properties/a~1b: 'type' is 7; use one of"),
        ('{"items": [7]}', " at /items/0: expected an object of keywords, found 7"),
        ('{"maxLenght": 3}', " at /: 'maxLenght' is no keyword that a reply can be held to; did"),
        ('{"enum": []}', " at /: 'enum' is []; use a list of at least one value"),
        ('{"const": 9007199254740993}', " at /: 'const' is 9007199254740993; use a value; numbers"),
        ('{"minimum": NaN}', " holds NaN, which is no JSON"),
        ('{"type": "string", "maxLength": 1e9}', " at /: 'maxLength' is 1000000000.0; use a whole"),
        ('{"minItems": 3, "maxItems": 2}', " at /: minItems 3 is above maxItems 2"),
        ('{"minProperties": 2}', " at /: 'minProperties' above 1 is not supported; list more in"),
        ('{"multipleOf": 0}', " at /: 'multipleOf' is 0; use a number above 0 of at most 4 digits"),
        ('{"format": "regex"}', " at /: 'format' is \"regex\"; known are date, date-time, time"),
        ('{"pattern": "(?=a)b"}', " at /: 'pattern' is \"(?=a)b\"; use a regular expression"),
        ('{"pattern": "(a"}', " at /: 'pattern' is \"(a\"; use a regular expression"),
        ('{"$ref": "https://x.org"}', " at /: '$ref' is \"https://x.org\"; only places of this"),
        ('{"$ref": "#/$defs/a"}', " at /: '$ref' is \"#/$defs/a\", where no schema is"),
        ('{"properties": {"a": {"$ref": "#"}}, "required": ["a"], "type": "object"}',
            " at /: never ends; leave a way without more of itself"),
        ('{"$ref": "#"}', " at /: never ends"),
        ('{"type": "integer", "enum": ["six"]}', " cannot be kept to: Unsatisfiable schema: incom"),
        ('{"oneOf": [{"type": "integer"}, {"type": "number"}]}',
            " at /: whether only one entry of 'oneOf' fits is not certain; use 'anyOf', or give"),
        ('{"items": ' * 40 + "{}" + "}" * 40, " at /items/items"),
        ('{"const": ' + "[" * 900 + "]" * 900 + "}", " is nested deeper than 32 levels"),
        ("[" * 9000, " is nested deeper than 32 levels"),
        ('"' + "x" * 20000 + '"', " has more than 16 KiB"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_kept_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(RequestRejectedError) as caught:
        FORMS.begin(Sampling(json_schema=text))
    assert str(caught.value)[: len(said) + 11] == f"json_schema{said}"


@pytest.mark.parametrize(
    "keyword",
    ["contains", "minContains", "maxContains", "contentEncoding", "contentMediaType", "not", "if",
     "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "propertyNames",
     "uniqueItems", "unevaluatedItems", "unevaluatedProperties", "additionalItems", "$dynamicRef",
     "$anchor", "$id"],
)  # fmt: skip
def test_a_keyword_that_would_be_passed_over_is_refused_by_its_name(keyword: str) -> None:
    with pytest.raises(
        RequestRejectedError, match=f"at /items: '{keyword.replace('$', '.')}' is not"
    ):
        read_schema(json.dumps({"type": "array", "items": {keyword: 1}}))


def test_keywords_for_readers_are_passed_over() -> None:
    notes = {"title": 1, "description": 2, "default": 3, "examples": [4], "x-order": 5}
    assert takes({"$schema": "s", "$id": "https://x.org/s", **notes, "type": "boolean"}, "true")


HOSTILE = {
    "pattern": {"type": "string", "pattern": "(a|b)*a(a|b){2000}"},
    "patterns": {"type": "string", "pattern": "^((a{0,1000}b{0,1000}){0,1000}c){0,1000}$"},
    "lengths": {"minItems": 10_000, "items": {"minItems": 10_000, "items": {"minLength": 9_999}}},
    "all-of-any": {"allOf": [{"anyOf": [{"required": [f"p{i}{j}"], "type": "object"}
        for j in range(4)]} for i in range(12)]},
    "doubled": {"$ref": "#/$defs/d0", "$defs": {"d40": {"const": 1}, **{f"d{i}": {
        "prefixItems": [{"$ref": f"#/$defs/d{i + 1}"}] * 2, "minItems": 2} for i in range(40)}}},
    "all-doubled": {"$ref": "#/$defs/d0", "$defs": {"d40": {"type": "string"}, **{
        f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}}},
    "chained": {"$ref": "#/$defs/d0", "$defs": {"d400": {"type": "string"}, **{
        f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(400)}}},
    "steps": {"allOf": [{"type": "integer", "multipleOf": m} for m in (9973, 9967, 9949)]},
    "choices": {"anyOf": [{"properties": {f"k{i}": {"type": "integer"}}} for i in range(250)]},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_schema_is_followed_or_refused_within_seconds(schema: Any) -> None:
    started = time.perf_counter()
    try:
        form = begun(schema)
        for _ in range(40):
            if form.must_end or not len(allowed := form.possible()):
                break
            form.accept(int(allowed[0]))
    except RequestRejectedError:
        pass
    assert time.perf_counter() - started < 20  # a hundredth of it, but for busy machines
