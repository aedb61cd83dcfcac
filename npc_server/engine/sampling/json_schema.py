"""A JSON schema to a grammar, through llama-cpp-python's converter.

The converter trusts its schemas: it repeats as often as they ask, ignores what it does not know,
and fails with whatever error comes. So a schema is checked first; what a reply could not be held to
is refused, and every refusal names the place as a JSON pointer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from llama_cpp.llama_grammar import BuiltinRule, SchemaConverter

from npc_server.engine.errors import RequestRejectedError

MAX_TEXT_BYTES = 16 * 1024
MAX_DEPTH = 32
MAX_PROPERTIES = 64  # of one object; they are kept in their order
MAX_COUNT = 500  # that a length or a number of items may count to
_COUNTS = (("minLength", "maxLength"), ("minItems", "maxItems"))
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
#: One of these describes a value; the converter would ignore a second.
_SHAPES = ("$ref", "const", "enum", "oneOf", "anyOf", "properties", "items", "prefixItems")
_UNSUPPORTED = (
    "allOf", "contains", "dependentRequired", "dependentSchemas", "else", "exclusiveMaximum",
    "exclusiveMinimum", "if", "maxProperties", "maximum", "minProperties", "minimum", "multipleOf",
    "not", "pattern", "patternProperties", "propertyNames", "then", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems",
)  # fmt: skip


def to_gbnf(text: str) -> str:
    """The grammar of all JSON that keeps to a schema. Raises RequestRejectedError."""
    schema = _read(text)
    for place, node in _schemas(schema, "", 0):
        if what := _wrong(node):
            raise RequestRejectedError(f"json_schema at {place or '/'}: {what}")
    converter: Any = _Converter(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
    try:
        converter.visit(converter.resolve_refs(schema, ""), "")
    # It raises its asserts and whatever its code runs into.
    except Exception as error:
        raise RequestRejectedError(f"json_schema is not supported: {str(error)[:200]}") from error
    return str(converter.format_grammar())


def _read(text: str) -> Any:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise RequestRejectedError(
            f"json_schema has more than {MAX_TEXT_BYTES // 1024} KiB; make it smaller"
        )
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestRejectedError(
            f"json_schema {place}: {error.msg[0].lower()}{error.msg[1:]}"
        ) from error
    except RecursionError as error:
        raise RequestRejectedError(
            f"json_schema is nested deeper than {MAX_DEPTH} levels"
        ) from error


def _schemas(node: Any, place: str, depth: int) -> Iterator[tuple[str, Any]]:
    """The schema and all schemas in it, each with its JSON pointer."""
    if depth > MAX_DEPTH:
        raise RequestRejectedError(f"json_schema at {place}: nested deeper than {MAX_DEPTH} levels")
    yield place, node
    for step, child in _children(node):
        yield from _schemas(child, f"{place}/{step}", depth + 1)


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            for name, child in value.items():
                yield f"{key}/{name.replace('~', '~0').replace('/', '~1')}", child
        elif key in ("oneOf", "anyOf", "prefixItems", "items") and isinstance(value, list):
            for i, child in enumerate(value):
                yield f"{key}/{i}", child
        elif key == "items" or (key == "additionalProperties" and not isinstance(value, bool)):
            yield key, value


def _wrong(node: Any) -> str:
    """What is wrong with one schema, not counting those in it; empty if nothing is."""
    if not isinstance(node, dict):
        return f"expected an object of keywords, found {json.dumps(node)[:40]}"
    if unsupported := [key for key in _UNSUPPORTED if key in node]:
        return f"{unsupported[0]!r} is not supported"
    shapes = [key for key in _SHAPES if key in node]
    if len(shapes) > 1:
        return f"both {shapes[0]!r} and {shapes[1]!r}; keep one"
    return _wrong_type(node) or _wrong_count(node) or _wrong_object(node) or _wrong_choice(node)


def _wrong_type(node: dict[str, Any]) -> str:
    named = node.get("type", [])
    for name in named if isinstance(named, list) else [named]:
        if name not in _TYPES:
            return f"unknown type {json.dumps(name)[:40]}; use one of {', '.join(_TYPES)}"
    return ""


def _wrong_count(node: dict[str, Any]) -> str:
    for least_key, most_key in _COUNTS:
        least, most = node.get(least_key, 0), node.get(most_key, MAX_COUNT)
        for key, count in ((least_key, least), (most_key, most)):
            if type(count) is not int or not 0 <= count <= MAX_COUNT:
                return f"{key} is {json.dumps(count)[:40]}; use a whole number up to {MAX_COUNT}"
        if least > most:
            return f"{least_key} {least} is above {most_key} {most}"
    return ""


def _wrong_object(node: dict[str, Any]) -> str:
    properties, required = node.get("properties", {}), node.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return "expected 'properties' to be an object and 'required' a list"
    if len(properties) > MAX_PROPERTIES:
        return f"{len(properties)} properties; at most {MAX_PROPERTIES} are taken"
    if "" in properties:
        return "a property has no name"
    if unknown := [name for name in required if name not in properties]:
        return f"'required' names {json.dumps(unknown[0])[:40]}, which is not in 'properties'"
    return ""


def _wrong_choice(node: dict[str, Any]) -> str:
    for key in ("enum", "oneOf", "anyOf"):
        if key in node and not (isinstance(node[key], list) and node[key]):
            return f"expected {key!r} to be a list of at least one entry"
    reference = node.get("$ref", "#/")
    if not (isinstance(reference, str) and reference.startswith("#/")):
        return (
            f"'$ref' is {json.dumps(reference)[:80]}; only places of this schema, '#/…', are known"
        )
    return ""


class _Converter(SchemaConverter):
    """The converter with three mistakes put right."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._names: dict[str, str] = {}

    def _format_literal(self, literal: str) -> str:
        """The original leaves backslashes alone, so that a quote inside a text ends the literal."""
        written = json.dumps(json.loads(literal), ensure_ascii=False)
        escaped = written.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    def _resolve_ref(self, ref: str) -> str:
        """The original takes a rule of a like-named property, or a built-in one, for it."""
        if ref not in self._names:
            name = self._names[ref] = f"definition-{len(self._names)}"
            self._rules[name] = ""  # taken, before anything in the definition comes back to it
            self._rules[name] = self.visit(self._refs[ref], name)  # type: ignore[no-untyped-call]
        return self._names[ref]

    def _add_primitive(self, name: str, rule: BuiltinRule) -> str:
        """The original allows control characters in texts, which JSON does not."""
        return str(super()._add_primitive(name, _CHARACTER if name == "char" else rule))


_HEX = "[0-9a-fA-F]"
_CHARACTER = BuiltinRule(
    rf'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" {_HEX} {_HEX} {_HEX} {_HEX})'
)
