"""JSON as strangers send it: read without surprises, or refused with the place. Pure.

What other readers let pass is refused here, since two programs would read it differently: a key
given twice, NaN and infinity, half of a sign that takes two. Depth is counted before anything
recursive sees the text.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pydantic import JsonValue

from personas.authored_text import NotUtf8Error, text_of
from personas.errors import CardError

JSON = JsonValue
MAX_BYTES = 8 << 20
MAX_DEPTH = 64

_BRACKETS_AND_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_HALF_SIGN = re.compile("[\ud800-\udfff]")


def read_json(content: bytes, what: str) -> JSON:
    """The value that `content` holds; `what` names it in errors. Raises CardError."""
    if len(content) > MAX_BYTES:
        raise CardError(f"{what}: {len(content) >> 20} MiB of JSON; at most {MAX_BYTES >> 20}")
    try:
        text = text_of(content)
    except NotUtf8Error as error:
        place = f"line {error.line}: " if error.line else ""
        raise CardError(f"{what}: {place}{error.what}") from error
    _require_shallow(text, what)
    try:
        value: JSON = json.loads(
            text,
            object_pairs_hook=_as_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CardError(f"{what}: {place}: no JSON: {error.msg}") from error
    except ValueError as error:  # of the hooks, and of numbers with thousands of digits
        raise CardError(f"{what}: {error}") from error
    return value


def json_bytes(value: JSON) -> bytes:
    """A value as a file of JSON that people can read."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False).encode() + b"\n"


def _require_shallow(text: str, what: str) -> None:
    depth = 0
    for found in _BRACKETS_AND_STRINGS.finditer(text):
        sign = found[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        if depth > MAX_DEPTH:
            line = 1 + text.count("\n", 0, found.start())
            raise CardError(f"{what}: line {line}: nested deeper than {MAX_DEPTH} levels")


def _as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"key {_brief(key)} is given twice; keep one")
        _require_whole_signs(key)
        _require_whole_signs(value)
        content[key] = value
    return content


def _require_whole_signs(value: Any) -> None:
    if isinstance(value, str) and (half := _HALF_SIGN.search(value)):
        raise ValueError(f"{_brief(value)} holds half a sign, U+{ord(half[0]):04X}; delete it")
    if isinstance(value, list):
        for one in value:
            _require_whole_signs(one)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{_brief(digits)} is too large a number")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _brief(text: str) -> str:
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")
