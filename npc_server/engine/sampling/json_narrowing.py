"""A JSON schema with less left open, and nothing allowed that was not.

Every reply that keeps to the result keeps to the schema. What is settled: a schema of properties
alone means an object, and an object with named properties has no others; dates exist; and a choice
of exactly one becomes a choice of any, since none is taken but where no two can both be right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any
from urllib.parse import unquote

#: Keywords for readers, which restrict nothing. `nullable` allows more, which nobody needs to use.
ANNOTATIONS = frozenset(
    {"$comment", "$schema", "default", "deprecated", "description", "discriminator", "example",
     "examples", "externalDocs", "nullable", "readOnly", "title", "writeOnly", "xml"}
)  # fmt: skip
_DATE = (
    "[1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    "|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = (
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
#: Known formats; those with an expression are llguidance's own but for days and seconds that may
#: not exist.
FORMATS = {
    "date": _DATE, "date-time": f"{_DATE}T{_TIME}", "time": _TIME, "duration": "", "email": "",
    "hostname": "", "ipv4": "", "ipv6": "", "uri": "", "uuid": "",
}  # fmt: skip
_CHOICES = ("$ref", "allOf", "anyOf", "const", "enum", "oneOf")
_KINDS = {
    "object": ("additionalProperties", "maxProperties", "minProperties", "patternProperties",
               "properties", "required"),
    "array": ("items", "maxItems", "minItems", "prefixItems"),
    "string": ("format", "maxLength", "minLength", "pattern"),
    "number": ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"),
}  # fmt: skip
_NAMED = ("$defs", "definitions", "patternProperties", "properties")
_MOST_STEPS = 8  # of references and properties followed to tell two schemas apart


def narrow(schema: Any) -> Any:
    """The schema for following. It must have been checked: entries of each `oneOf` differ."""
    return _narrow(schema, close=_is_plain(schema))


def _narrow(node: Any, *, close: bool) -> Any:
    if not isinstance(node, dict):
        return node
    made = {
        key: _narrow_value(key, value, close=close)
        for key, value in node.items()
        if key not in ANNOTATIONS and not key.startswith("x-")
    }
    made = _with_type(made)
    if close and "properties" in made and set(made.get("required", ())) <= set(made["properties"]):
        made.setdefault("additionalProperties", "patternProperties" in made)
    if "oneOf" in made:
        made["allOf"] = [*made.get("allOf", []), {"anyOf": made.pop("oneOf")}]
    if expression := FORMATS.get(made.get("format", "")):
        del made["format"]
        made["allOf"] = [*made.get("allOf", []), {"pattern": f"^({expression})$"}]
    return made


def _narrow_value(key: str, value: Any, *, close: bool) -> Any:
    if key in ("const", "enum"):
        return value
    if key in _NAMED:
        return {name: _narrow(child, close=close) for name, child in value.items()}
    if isinstance(value, list):
        return [_narrow(child, close=close) for child in value]
    return _narrow(value, close=close)


def _with_type(node: dict[str, Any]) -> dict[str, Any]:
    """The schema with its type, where its keywords are for values of one type alone."""
    kinds = [kind for kind, keys in _KINDS.items() if any(key in node for key in keys)]
    if len(kinds) != 1 or "type" in node or any(key in node for key in _CHOICES):
        return node
    return {"type": kinds[0], **node}


def _is_plain(schema: Any) -> bool:
    """Whether no object is described in several places, so that each names all its properties."""
    return not any(
        "allOf" in node
        or (any(key in node for key in _CHOICES) and any(key in node for key in _KINDS["object"]))
        for node in _nodes(schema)
    )


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema in it, and some values that are none."""
    if isinstance(node, dict):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from _nodes(child)


def all_differ(schemas: list[Any], root: Any) -> bool:
    """Whether it is certain that no value keeps to two of the schemas."""
    return all(_differ(a, b, root, _MOST_STEPS) for a, b in combinations(schemas, 2))


def _differ(a: Any, b: Any, root: Any, steps: int) -> bool:
    """Whether it is certain that no value keeps to both."""
    if a is False or b is False:
        return True
    if not (steps and isinstance(a, dict) and isinstance(b, dict)):
        return False
    if "$ref" in a or "$ref" in b:
        a, b = ({**node, **_definition(node, root)} for node in (a, b))
    if not _kinds(a) & _kinds(b) or _apart(_values(a), _values(b)):
        return True
    named, others = a.get("properties", {}), b.get("properties", {})
    return any(
        _differ(named[name], others[name], root, steps - 1)
        for name in {*a.get("required", ()), *b.get("required", ())} & named.keys() & others.keys()
    )


def _definition(node: Mapping[str, Any], root: Any) -> dict[str, Any]:
    """What a reference stands for, if that is no reference in turn."""
    found = root
    for step in unquote(node["$ref"][1:]).split("/")[1:] if "$ref" in node else ():
        step = step.replace("~1", "/").replace("~0", "~")
        found = found[int(step)] if isinstance(found, list) else found[step]
    known = found if "$ref" in node and isinstance(found, dict) and "$ref" not in found else {}
    return {"$ref": "", **known} if "$ref" in node else {}


def _kinds(node: Mapping[str, Any]) -> set[str]:
    """Types that its values may have."""
    named = node.get("type", ["object", "array", "string", "number", "boolean", "null"])
    kinds = {
        "number" if kind == "integer" else kind
        for kind in ([named] if isinstance(named, str) else named)
    }
    values = _values(node)
    return kinds if values is None else kinds & {_kind(value) for value in values}


def _kind(written: str) -> str:
    starts = {
        '"': "string",
        "{": "object",
        "[": "array",
        "t": "boolean",
        "f": "boolean",
        "n": "null",
    }
    return starts.get(written[0], "number")


def _values(node: Mapping[str, Any]) -> set[str] | None:
    """Its values as JSON text, if they are counted; None otherwise."""
    values = [node["const"]] if "const" in node else node.get("enum")
    return None if values is None else {json.dumps(value, sort_keys=True) for value in values}


def _apart(a: set[str] | None, b: set[str] | None) -> bool:
    """Whether both are counted and no value is in both; 1 and 1.0 are one value."""
    if a is None or b is None or a & b:
        return False
    return not any(_kind(value) in ("number", "object", "array") for value in a) or not any(
        _kind(value) in ("number", "object", "array") for value in b
    )
