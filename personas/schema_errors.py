"""What pydantic finds wrong with a file, in the words of those who wrote it."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from personas.yaml_file import Document, Loc

ModelT = TypeVar("ModelT", bound=BaseModel)


def validate(model: type[ModelT], document: Document) -> ModelT | None:
    """The document as `model`, or None when it is not; every complaint is reported to it."""
    if not document.readable:
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for loc, what in _complaints(model, error.errors(include_url=False)):
            document.report(loc, what)
        return None


def _complaints(
    model: type[BaseModel], errors: Iterable[ErrorDetails]
) -> Iterator[tuple[Loc, str]]:
    errors = _without_echoes(list(errors))
    missing = {e["loc"] for e in errors if e["type"] == "missing"}
    for error in errors:
        if error["type"] == "extra_forbidden":
            meant = nearest(str(error["loc"][-1]), _keys_at(model, error["loc"][:-1]))
            # One misspelt key is one problem, not an unknown key and a missing one.
            missing.discard((*error["loc"][:-1], meant))
            yield error["loc"], _unknown(meant, _keys_at(model, error["loc"][:-1]))
    for error in errors:
        if error["type"] == "missing" and error["loc"] in missing:
            yield error["loc"], "key is missing"
        elif error["type"] not in ("missing", "extra_forbidden"):
            yield error["loc"], _wrong_value(error)


def _without_echoes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    # A list whose only entry is wrong is reported as too short as well.
    inside = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    return [e for e in errors if not (e["type"] == "too_short" and e["loc"] in inside)]


def _unknown(meant: str, keys: Iterable[str]) -> str:
    if meant:
        return f"unknown key; did you mean {meant!r}?"
    return f"unknown key; the keys here are {', '.join(keys)}"


def nearest(written: str, valid: Iterable[str]) -> str:
    """The valid word that was probably meant; "" = none is near."""
    return next(iter(get_close_matches(written, list(valid), n=1)), "")


def _keys_at(model: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    for part in loc:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return tuple(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_model_in(a) for a in get_args(annotation) if a is not Ellipsis)


_EXPECTED = {
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "model_type": "expected keys and values",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
}


def _wrong_value(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        told = str(context["error"])  # of a part as a whole, which its keys tell apart
        return told if isinstance(error["input"], dict) else f"{_as_text(error['input'])} {told}"
    if kind == "enum":
        return f"{_as_text(error['input'])} is unknown; {_choice(error, context['expected'])}"
    if kind == "string_pattern_mismatch":
        return f"{_as_text(error['input'])} is not an id (a-z, 0-9, - and _; letter first)"
    if kind in ("too_short", "too_long"):
        return _wrong_length(context)
    expected = _EXPECTED.get(kind) or error["msg"][0].lower() + error["msg"][1:]
    is_scalar = error["input"] is not None and not isinstance(error["input"], dict | tuple)
    hint = "; put it in quotes" if kind == "string_type" and is_scalar else ""
    return f"{expected}, got {_as_text(error['input'])}{hint}"


def _wrong_length(context: dict[str, Any]) -> str:
    if "max_length" in context:
        return f"expected at most {context['max_length']} entries"
    return f"expected at least {context['min_length']} entry"


def _choice(error: ErrorDetails, expected: str) -> str:
    near = nearest(str(error["input"]), re.findall(r"'([^']+)'", expected))
    return f"did you mean {near!r}?" if near else f"use {expected}"


def _as_text(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | tuple):
        return "keys and values" if isinstance(value, dict) else f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
