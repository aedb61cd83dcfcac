"""A JSON schema that a reply can be held to, or the reason why it cannot.

llguidance passes over what it does not know, so every keyword is looked at before: what restricts
is on the list below or refused, with its place as a JSON pointer. `json_narrowing` then leaves out
what a reader alone wants to know, and settles what llguidance would leave open or cannot prove.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote

from llguidance import LLMatcher

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling.json_narrowing import ANNOTATIONS, FORMATS, all_differ, narrow

MAX_TEXT_BYTES = 16 * 1024
MAX_DEPTH = 32
MAX_PROPERTIES = 64  # of one object; they are kept in their order
MAX_STEP_DIGITS = 4  # of multipleOf, zeros before and behind left out
MAX_PATTERNS = 8  # of names in one object; each is compared with each
MAX_COUNT = 10_000  # that a length or a number of items may count to
_EXACT = 2**53  # beyond it, whole numbers are no longer told apart
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_REFUSED = (
    "contains", "contentEncoding", "contentMediaType", "contentSchema", "dependentRequired",
    "dependentSchemas", "dependencies", "else", "if", "maxContains", "minContains", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties", "uniqueItems",
    "additionalItems", "$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveRef", "id",
)  # fmt: skip


def read_schema(text: str) -> str:
    """The schema of this text as llguidance is to follow it. Raises RequestRejectedError."""
    try:
        return _check(_read(text))
    except RecursionError as error:
        raise RequestRejectedError(
            f"json_schema is nested deeper than {MAX_DEPTH} levels"
        ) from error


def _check(schema: Any) -> str:
    if isinstance(schema, dict):
        schema.pop("$id", None)  # names the schema; places in it are found without
    nodes = list(_schemas(schema, "", 0))
    places = {place for place, _ in nodes}
    for place, node in nodes:
        if what := _wrong(node) or _wrong_reference(node, places):
            raise RequestRejectedError(f"json_schema at {place or '/'}: {what}")
    for place, node in nodes:  # all right by themselves, so that they can be compared
        if isinstance(node, dict) and not all_differ(node.get("oneOf", []), schema):
            raise RequestRejectedError(
                f"json_schema at {place or '/'}: whether only one entry of 'oneOf' fits is not"
                " certain; use 'anyOf', or give each a required property with a constant of its own"
            )
    if endless := sorted(places - _finishing(nodes)):
        raise RequestRejectedError(
            f"json_schema at {endless[0] or '/'}: never ends; leave a way without more of itself"
        )
    return json.dumps(_with_spacing(narrow(schema)))


def _finishing(nodes: list[tuple[str, Any]]) -> set[str]:
    """Places of schemas that some value of finite depth keeps to."""
    found: set[str] = set()
    before = -1
    while before < len(found):
        before = len(found)
        found |= {place for place, node in nodes if _finishes(place, node, found)}
    return found


def _finishes(place: str, node: Any, found: set[str]) -> bool:
    if not isinstance(node, dict):
        return True
    needed = [f"{place}/allOf/{i}" for i in range(len(node.get("allOf", ())))]
    if "$ref" in node:
        needed.append(unquote(node["$ref"][1:]))
    if node.get("type") == "object":
        names = set(node.get("required", ())) & node.get("properties", {}).keys()
        needed += [f"{place}/properties/{_pointer_step(name)}" for name in names]
    if node.get("type") == "array" and node.get("minItems") and "prefixItems" not in node:
        needed += [f"{place}/items"] if isinstance(node.get("items"), dict) else []
    choices = [
        [f"{place}/{key}/{i}" for i in range(len(node[key]))]
        for key in ("anyOf", "oneOf")
        if key in node
    ]
    return found.issuperset(needed) and all(found.intersection(places) for places in choices)


def _pointer_step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _with_spacing(schema: Any) -> Any:
    """The schema with its spacing: one blank or none, where people write one.

    Any more would let a small model fill its reply with blanks.
    """
    spacing = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
    return {"x-guidance": spacing, **(schema if isinstance(schema, dict) else {"allOf": [schema]})}


def _read(text: str) -> Any:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise RequestRejectedError(
            f"json_schema has more than {MAX_TEXT_BYTES // 1024} KiB; make it smaller"
        )
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestRejectedError(
            f"json_schema {place}: {error.msg[0].lower()}{error.msg[1:]}"
        ) from error


def _refuse_constant(written: str) -> Any:
    raise RequestRejectedError(f"json_schema holds {written}, which is no JSON")


def _schemas(node: Any, place: str, depth: int) -> Iterator[tuple[str, Any]]:
    """The schema and all schemas in it, each with its JSON pointer."""
    if depth > MAX_DEPTH:
        raise RequestRejectedError(f"json_schema at {place}: nested deeper than {MAX_DEPTH} levels")
    yield place, node
    for step, child in _children(node):
        yield from _schemas(child, f"{place}/{step}", depth + 1)


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    for key, value in node.items() if isinstance(node, dict) else ():
        kind = _KEYWORDS[key].holds if key in _KEYWORDS else ""
        if kind == "named" and isinstance(value, dict):
            for name, child in value.items():
                yield f"{key}/{_pointer_step(name)}", child
        elif kind in ("list", "schema") and isinstance(value, list):
            for i, child in enumerate(value):
                yield f"{key}/{i}", child
        elif kind == "schema":
            yield key, value


def _wrong(node: Any) -> str:
    """What is wrong with one schema, not counting those in it; empty if nothing is."""
    if isinstance(node, bool):
        return ""
    if not isinstance(node, dict):
        return f"expected an object of keywords, found {json.dumps(node)[:40]}"
    for key, value in node.items():
        if key in _KEYWORDS and not _KEYWORDS[key].right(value):
            return f"{key!r} is {json.dumps(value)[:60]}; {_KEYWORDS[key].expected}"
        if key not in _KEYWORDS and key not in ANNOTATIONS and not key.startswith("x-"):
            return _unknown(key)
    return _contradiction(node)


def _unknown(key: str) -> str:
    if key in _REFUSED:
        return f"{key!r} is not supported"
    near = get_close_matches(key, _KEYWORDS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{key!r} is no keyword that a reply can be held to{hint}"


def _contradiction(node: dict[str, Any]) -> str:
    for least_key, most_key in _BOUNDS:
        least, most = node.get(least_key, 0), node.get(most_key, float("inf"))
        if least > most:
            return f"{least_key} {least} is above {most_key} {most}"
    surely = max(1, len(set(node.get("required", ()))))
    if node.get("minProperties", 0) > surely:  # a name may be said twice, which counts once
        return f"'minProperties' above {surely} is not supported; list more in 'required'"
    if "prefixItems" in node and isinstance(node.get("items"), list):
        return "both 'prefixItems' and a list of 'items'; keep one"
    return ""


def _wrong_reference(node: Any, places: set[str]) -> str:
    reference = node.get("$ref", "#") if isinstance(node, dict) else "#"
    if not reference.startswith("#"):
        return (
            f"'$ref' is {json.dumps(reference)[:80]}; only places of this schema, '#/…', are known"
        )
    if unquote(reference[1:]) not in places:
        return f"'$ref' is {json.dumps(reference)[:80]}, where no schema is"
    return ""


@dataclass(frozen=True)
class _Keyword:
    right: Callable[[Any], bool]
    expected: str
    holds: str = ""  # schemas: "schema" (one, or a list), "list", or "named"


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= _EXACT


def _is_step(value: Any) -> bool:
    digits = f"{value:f}".replace(".", "").strip("0") if _is_number(value) else ""
    return _is_number(value) and value > 0 and len(digits) <= MAX_STEP_DIGITS


def _is_value(value: Any) -> bool:
    """Whether a constant is told apart from every other."""
    if isinstance(value, dict | list):
        return all(map(_is_value, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | bool | None) or _is_number(value)


def _is_pattern(value: Any) -> bool:
    """Whether it can be kept to: no looking around or back, no edges of words."""
    if not isinstance(value, str):
        return False
    grammar = LLMatcher.grammar_from_json_schema({"type": "string", "pattern": value})
    return not LLMatcher.validate_grammar(grammar)


def _are_types(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in _TYPES for name in names)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_properties(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= MAX_PROPERTIES and "" not in value


_COUNT = _Keyword(_is_count, f"use a whole number up to {MAX_COUNT}")
_NUMBER = _Keyword(_is_number, "use a number up to 2 to the power of 53")
_SCHEMAS = _Keyword(lambda v: isinstance(v, list) and bool(v), "use a list of schemas", "list")
_NAMED = _Keyword(lambda v: isinstance(v, dict), "use an object of schemas", "named")
_NODE = _Keyword(lambda v: True, "", "schema")
_BOUNDS = tuple((f"min{of}", f"max{of}") for of in ("Length", "Items", "Properties"))
_KEYWORDS = {
    **dict.fromkeys((key for bounds in _BOUNDS for key in bounds), _COUNT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _SCHEMAS),
    **dict.fromkeys(("$defs", "definitions"), _NAMED),
    "patternProperties": _Keyword(
        lambda v: isinstance(v, dict) and len(v) <= MAX_PATTERNS and all(map(_is_pattern, v)),
        f"use an object of at most {MAX_PATTERNS} regular expressions with schemas",
        "named",
    ),
    **dict.fromkeys(("items", "additionalProperties"), _NODE),
    "multipleOf": _Keyword(_is_step, f"use a number above 0 of at most {MAX_STEP_DIGITS} digits"),
    "properties": _Keyword(
        _are_properties, f"use an object of at most {MAX_PROPERTIES} names with schemas", "named"
    ),
    "type": _Keyword(_are_types, f"use one of {', '.join(_TYPES)}, or a list of some"),
    "required": _Keyword(_are_names, "use a list of names"),
    "enum": _Keyword(
        lambda v: isinstance(v, list) and bool(v) and _is_value(v),
        "use a list of at least one value; numbers up to 2 to the power of 53",
    ),
    "const": _Keyword(_is_value, "use a value; numbers up to 2 to the power of 53"),
    "$ref": _Keyword(lambda v: isinstance(v, str), "use a place of this schema, '#/…'"),
    "pattern": _Keyword(
        _is_pattern, r"use a regular expression without look-around, references back and \b"
    ),
    "format": _Keyword(
        lambda v: isinstance(v, str) and v in FORMATS, f"known are {', '.join(FORMATS)}"
    ),
}
