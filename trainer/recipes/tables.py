"""Flat tables of text and numbers into frozen dataclasses, with every problem told at once. Pure.

The keys of a table are the fields of a dataclass; fields of dataclasses inside it are keys too.
What is not in the table keeps its default. Problems are gathered, so that whoever wrote the tables
hears of all of them; the values returned beside a problem are not to be used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from trainer.errors import ConfigError

#: Keys that other tools have, and why there is no such setting here.
NO_SETTING = {
    "label_smoothing": "TRL ignores it for the losses used here, so it would do nothing",
    "padding_free": "it needs FlashAttention, and the trainer's own forward pass does without",
}

Table = Mapping[str, Any]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Leaf:
    """A setting: its type, and the inner dataclass it is in."""

    inside: str  # field of the outer dataclass; "" = a field of its own
    kind: Any


class Problems(list[str]):
    """What is wrong, a line each."""

    def complain(self) -> None:
        """Raises ConfigError if anything is wrong."""
        if self:
            raise ConfigError("\n".join(["settings:", *(f"  {problem}" for problem in self)]))


def leaves(kind: type) -> dict[str, Leaf]:
    """The settings of a dataclass by name, those of dataclasses inside it too."""
    hints = get_type_hints(kind)
    found: dict[str, Leaf] = {}
    for field in fields(kind):
        if is_dataclass(hints[field.name]):
            inner = get_type_hints(hints[field.name])
            found |= {name: Leaf(field.name, inner[name]) for name in inner}
        else:
            found[field.name] = Leaf("", hints[field.name])
    return found


def table(source: Table, name: str, place: str, problems: Problems) -> dict[str, Any]:
    """A table inside a table; empty when absent."""
    inner = source.get(name, {})
    if isinstance(inner, Mapping):
        return dict(inner)
    problems.append(f"{place}: {inner!r} is not a table")
    return {}


def checked(
    place: str, written: Table, known: Mapping[str, Leaf], problems: Problems
) -> dict[str, Any]:
    """The values of known settings, as their types want them."""
    values = {}
    for name, value in written.items():
        if name not in known:
            problems.append(f"{place} {name}: {_unknown(name, known)}")
            continue
        try:
            values[name] = _coerced(value, known[name].kind)
        except ValidationError as error:
            problems.append(f"{place} {name}: {error.errors()[0]['msg']}, not {value!r}")
    return values


def built(place: str, kind: type[_T], values: Table, problems: Problems) -> _T:
    """The dataclass with these values, checked by itself."""
    default: Any = kind()
    known = leaves(kind)
    changed: dict[str, Any] = {n: v for n, v in values.items() if not known[n].inside}
    insides = {known[name].inside for name in values} - {""}
    try:
        for inside in insides:
            own = {n: v for n, v in values.items() if known[n].inside == inside}
            changed[inside] = replace(getattr(default, inside), **own)
        whole: _T = replace(default, **changed)
    except ConfigError as error:
        problems.append(f"{place}: {error}")
        return kind()
    return whole


def filled(place: str, kind: type[_T], written: Table, problems: Problems) -> _T:
    """The dataclass that a table describes."""
    return built(place, kind, checked(place, written, leaves(kind), problems), problems)


def _coerced(value: object, kind: Any) -> Any:
    if isinstance(value, str) and kind == tuple[str, ...]:  # from the environment
        value = [part.strip() for part in value.split(",") if part.strip()]
    return TypeAdapter(kind).validate_python(value)


def _unknown(name: str, known: Mapping[str, Leaf]) -> str:
    if name in NO_SETTING:
        return f"there is no such setting: {NO_SETTING[name]}"
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown key; {hint}"
