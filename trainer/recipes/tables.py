"""Turns flat tables of text and numbers into frozen dataclasses, reporting all problems at once.

The keys of a table are the fields of a dataclass; fields of dataclasses inside it are keys too.
A key that is absent keeps its default. Problems are collected, for the caller to raise at once; the
values returned beside a problem must not be used. No file is read or written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from trainer.errors import ConfigError

#: Keys of other tools, and why there is no such setting here.
NO_SETTING = {
    "label_smoothing": "TRL ignores it for the losses used here, so it would do nothing",
    "padding_free": "it needs FlashAttention, which the trainer's forward pass does not use",
}

Table = Mapping[str, Any]
SettingsT = TypeVar("SettingsT")


@dataclass(frozen=True)
class Leaf:
    """A setting: its type, and the inner dataclass that it belongs to."""

    inside: str  # field that holds the inner dataclass; "" = a field of the outer one
    kind: Any


class Problems(list[str]):
    """What is wrong, one line per problem."""

    def complain(self) -> None:
        """Raise ConfigError if anything is wrong."""
        if self:
            raise ConfigError("\n".join(["settings:", *(f"  {problem}" for problem in self)]))


def leaves(kind: type) -> dict[str, Leaf]:
    """The settings of a dataclass by name, with those of dataclasses inside it."""
    hints = get_type_hints(kind)
    found: dict[str, Leaf] = {}
    for field in fields(kind):
        if is_dataclass(hints[field.name]):
            inner = get_type_hints(hints[field.name])
            found |= {name: Leaf(field.name, inner[name]) for name in inner}
        else:
            found[field.name] = Leaf("", hints[field.name])
    return found


def inner_table(source: Table, name: str, place: str, problems: Problems) -> dict[str, Any]:
    """Take the table `name` out of `source`; empty when absent."""
    inner = source.get(name, {})
    if isinstance(inner, Mapping):
        return dict(inner)
    problems.append(f"{place}: {inner!r} is not a table")
    return {}


def parse_values(
    place: str, written: Table, known: Mapping[str, Leaf], problems: Problems
) -> dict[str, Any]:
    """Convert the values of known settings to their types; add the others to `problems`."""
    values = {}
    for name, value in written.items():
        if name not in known:
            problems.append(f"{place} {name}: {_unknown(name, known)}")
            continue
        try:
            values[name] = _convert(value, known[name].kind)
        except ValidationError as error:
            problems.append(f"{place} {name}: {error.errors()[0]['msg']}, not {value!r}")
    return values


def build(place: str, kind: type[SettingsT], values: Table, problems: Problems) -> SettingsT:
    """Make the dataclass with these values; it checks itself."""
    default: Any = kind()
    known = leaves(kind)
    changed: dict[str, Any] = {n: v for n, v in values.items() if not known[n].inside}
    insides = {known[name].inside for name in values} - {""}
    try:
        for inside in insides:
            own = {n: v for n, v in values.items() if known[n].inside == inside}
            changed[inside] = replace(getattr(default, inside), **own)
        whole: SettingsT = replace(default, **changed)
    except ConfigError as error:
        problems.append(f"{place}: {error}")
        return kind()
    return whole


def parse(place: str, kind: type[SettingsT], written: Table, problems: Problems) -> SettingsT:
    """Make the dataclass that a table describes."""
    return build(place, kind, parse_values(place, written, leaves(kind), problems), problems)


def _convert(value: object, kind: Any) -> Any:
    if isinstance(value, str) and kind == tuple[str, ...]:  # from the environment
        value = [part.strip() for part in value.split(",") if part.strip()]
    return TypeAdapter(kind).validate_python(value)


def _unknown(name: str, known: Mapping[str, Leaf]) -> str:
    if name in NO_SETTING:
        return f"there is no such setting: {NO_SETTING[name]}"
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown key; {hint}"
