"""Schemas become grammars of the JSON they describe, or say what they cannot."""

import json
from typing import Any

import pytest

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling.grammar import Matcher, Pieces, compile_grammar
from npc_server.engine.sampling.json_schema import to_gbnf

BYTES = Pieces([bytes([byte]) for byte in range(256)])


def takes(schema: dict[str, Any], text: str) -> bool:
    """Whether a reply under the schema may be this text."""
    matcher = Matcher(compile_grammar(to_gbnf(json.dumps(schema))), BYTES)
    for byte in text.encode():
        if not matcher.allows(byte):
            return False
        matcher.accept(byte)
    return matcher.may_end


def test_an_object_has_its_properties_in_order() -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["calm", "angry"]}, "say": {"type": "string"}},
        "required": ["mood"],
    }
    assert takes(schema, '{"mood": "calm", "say": "Aye."}')
    assert takes(schema, '{"mood":"angry"}')
    assert not takes(schema, '{"say": "Aye.", "mood": "calm"}')
    assert not takes(schema, '{"mood": "sad"}')


@pytest.mark.parametrize("text", ['say "hi"', "back\\slash", "süß", "line\nbreak", "tab\t"])
def test_a_constant_is_written_as_json_writes_it(text: str) -> None:
    written = json.dumps(text, ensure_ascii=False)
    assert takes({"const": text}, written)
    assert json.loads(written) == text


@pytest.mark.parametrize("text", ['"a\nb"', '"a\tb"', '"\x00"', '"\x1f"', '"\\q"', '"a"b"'])
def test_a_text_that_json_does_not_read_is_never_written(text: str) -> None:
    assert not takes({"type": "string"}, text)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


def test_lengths_and_numbers_of_items_are_kept() -> None:
    schema = {"type": "array", "items": {"type": "string", "maxLength": 2}, "minItems": 1}
    assert takes(schema, '["ab", "c"]')
    assert not takes(schema, "[]")
    assert not takes(schema, '["abc"]')


def test_definitions_may_come_back_to_themselves() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    schema = {"$ref": "#/$defs/node", "$defs": {"node": node}}
    assert takes(schema, '{"next": {"next": {}}}')


def test_a_definition_is_not_mistaken_for_a_property_or_type_of_its_name() -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["calm"]}, "other": {"$ref": "#/$defs/mood"}},
        "required": ["mood", "other"],
        "$defs": {"mood": {"$ref": "#/$defs/string"}, "string": {"enum": [7]}},
    }
    assert takes(schema, '{"mood": "calm", "other": 7}')
    assert not takes(schema, '{"mood": "calm", "other": "calm"}')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"type" "object"}', "json_schema line 1, column 9: expecting ':' delimiter"),
        ('{\n"type": "objekt"}', 'json_schema at /: unknown type "objekt"; use one of object'),
        ('{"properties": {"a/b": {"type": 7}}}', "json_schema at /properties/a~1b: unknown type 7"),
        ('{"items": [true]}', "json_schema at /items/0: expected an object of keywords, found"),
        ('{"type": "integer", "minimum": 3}', "json_schema at /: 'minimum' is not supported"),
        ('{"enum": [1], "const": 1}', "json_schema at /: both 'const' and 'enum'; keep one"),
        ('{"enum": []}', "json_schema at /: expected 'enum' to be a list of at least one entry"),
        ('{"type": "string", "maxLength": 1e9}', "json_schema at /: maxLength is 1000000000.0"),
        ('{"minItems": 3, "maxItems": 2}', "json_schema at /: minItems 3 is above maxItems 2"),
        ('{"required": ["a"]}', "json_schema at /: 'required' names \"a\", which is not in"),
        ('{"$ref": "https://x.org"}', "json_schema at /: '$ref' is \"https://x.org\"; only places"),
        ('{"$ref": "#/$defs/a"}', "json_schema is not supported: Error resolving ref"),
        ('{"items": ' * 40 + "{}" + "}" * 40, "json_schema at /items/items"),
        ("[" * 9000, "json_schema"),
        ('"' + "x" * 20000 + '"', "json_schema has more than 16 KiB"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_kept_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(RequestRejectedError) as caught:
        to_gbnf(text)
    assert str(caught.value)[: len(said)] == said
