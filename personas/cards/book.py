"""Lorebooks: entries that enter a prompt when their keys are said. Pure.

Two dialects say nearly the same: the `character_book` of cards (and `lorebook_v3`, which holds one
alone), and World Info as SillyTavern stores it. An entry is read through the table of its dialect,
and changed in place, so that what we do not know of it survives.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from personas.cards.decorators import DecoratedText, decorators_of
from personas.errors import CardError

Object = dict[str, Any]
Path = tuple[str, ...]


class Logic(IntEnum):
    """What secondary keys ask, beside a key; SillyTavern's numbers."""

    AND_ANY = 0  # one of them, too
    NOT_ALL = 1  # not all of them
    NOT_ANY = 2  # none of them
    AND_ALL = 3  # all of them, too


@dataclass(frozen=True)
class Dialect:
    """Where a dialect keeps what we read of an entry."""

    paths: Mapping[str, Path]
    off_by: bool  # the flag `enabled` is written as one that disables
    usual: Mapping[str, Any]  # of fields that we do not follow: what they say when they say nothing


_COMMON = ("content", "constant", "comment", "selective")
#: Fields of an entry that our lore has no place for, with SillyTavern's defaults.
_UNUSED: Mapping[str, Any] = MappingProxyType(
    {
        "position": 0,
        "depth": 4,
        "role": 0,
        "group": "",
        "group_override": False,
        "group_weight": 100,
        "use_group_scoring": False,
        "automation_id": "",
        "outlet_name": "",
        "ignore_budget": False,
        "delay_until_recursion": 0,
        "triggers": [],
        "match_whole_words": None,
        "match_persona_description": False,
        "match_character_description": False,
        "match_character_personality": False,
        "match_character_depth_prompt": False,
        "match_scenario": False,
        "match_creator_notes": False,
    }
)
_IN_EXTENSIONS = {
    "logic": "selectiveLogic",
    "probability": "probability",
    "use_probability": "useProbability",
    "sticky": "sticky",
    "cooldown": "cooldown",
    "delay": "delay",
    "exclude_recursion": "exclude_recursion",
    "prevent_recursion": "prevent_recursion",
    "vectorized": "vectorized",
    "scan_depth": "scan_depth",
}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


CARD_BOOK = Dialect(
    paths=MappingProxyType(
        {
            **{name: (name,) for name in _COMMON},
            **{name: ("extensions", key) for name, key in _IN_EXTENSIONS.items()},
            **{name: ("extensions", name) for name in _UNUSED},
            "keys": ("keys",),
            "secondary_keys": ("secondary_keys",),
            "enabled": ("enabled",),
            "order": ("insertion_order",),
            "priority": ("priority",),
            "regex": ("use_regex",),
            "case_sensitive": ("case_sensitive",),
            "name": ("name",),
            "id": ("id",),
        }
    ),
    off_by=False,
    usual=_UNUSED,
)
WORLD_INFO = Dialect(
    paths=MappingProxyType(
        {
            **{name: (name,) for name in _COMMON},
            **{name: (_camel(name),) for name in _UNUSED},
            "keys": ("key",),
            "secondary_keys": ("keysecondary",),
            "enabled": ("disable",),
            "order": ("order",),
            "logic": ("selectiveLogic",),
            "probability": ("probability",),
            "use_probability": ("useProbability",),
            "sticky": ("sticky",),
            "cooldown": ("cooldown",),
            "delay": ("delay",),
            "exclude_recursion": ("excludeRecursion",),
            "prevent_recursion": ("preventRecursion",),
            "vectorized": ("vectorized",),
            "scan_depth": ("scanDepth",),
            "case_sensitive": ("caseSensitive",),
            "id": ("uid",),
        }
    ),
    off_by=True,
    usual=_UNUSED,
)


@dataclass(frozen=True)
class Entry:
    """What one entry says, in either dialect."""

    title: str  # what authors call it; "" = nothing
    keys: tuple[str, ...]
    secondary_keys: tuple[str, ...]
    logic: Logic
    content: DecoratedText
    constant: bool
    enabled: bool
    regex: bool  # the keys are patterns
    case_sensitive: bool
    order: int  # the later ones stand nearer to the end of a prompt, and count more
    priority: int  # V2's own: the lower ones are left out first; 0 = none is said
    probability: float  # percent
    sticky: int  # messages; 0 = none; likewise below
    cooldown: int
    delay: int
    delay_turns: int  # the same, in the character's messages
    scan_depth: int  # messages in which keys are looked for; 0 = not said
    exclude_recursion: bool  # other entries do not bring it up
    prevent_recursion: bool  # it brings up no others
    by_meaning: bool


@dataclass(frozen=True)
class Book:
    """The entries of a lorebook as they came, each with the name it has in errors."""

    dialect: Dialect
    entries: Mapping[str, Object]  # by position in a card's list, by uid in World Info


NO_BOOK = Book(CARD_BOOK, MappingProxyType({}))

#: Decorators that say what our lore can follow; all others are kept and told.
FOLLOWED = frozenset(
    {
        "activate",
        "dont_activate",
        "activate_only_after",
        "keep_activate_after_match",
        "additional_keys",
        "exclude_keys",
        "scan_depth",
    }
)
LARGEST = 1_000_000  # of a number of an entry
ALWAYS = 20_000  # messages that an entry sticks which is to stay


def card_book(content: Object, what: str) -> Book:
    """The entries of a `character_book`. Raises CardError."""
    listed = [] if content.get("entries") is None else content["entries"]
    if not isinstance(listed, list):
        raise CardError(f"{what}: entries: expected a list, got {_brief(listed)}")
    return Book(CARD_BOOK, _objects({str(at): one for at, one in enumerate(listed)}, what))


def world_info(content: Object, what: str) -> Book:
    """The entries of a World Info file. Raises CardError."""
    by_uid = content.get("entries")
    if not isinstance(by_uid, dict):
        raise CardError(f"{what}: entries: expected an object by uid, got {_brief(by_uid)}")
    return Book(WORLD_INFO, _objects(by_uid, what))


def entry_of(book: Book, key: str, what: str) -> Entry:
    """One entry, read. Raises CardError for a value of another kind than the specs say."""
    return _reading(_Fields(book.entries[key], book.dialect, f"{what}: entries[{key}]"))


def unused_of(book: Book, key: str) -> tuple[str, ...]:
    """What an entry says that our lore has no place for: fields and decorators."""
    raw, paths = book.entries[key], book.dialect.paths
    fields = (
        ".".join(paths[name])
        for name, usual in book.dialect.usual.items()
        if (value := _at(raw, paths[name])) is not None and value not in (usual, "", [], False)
    )
    position = raw.get("position")
    placed = ["position"] if isinstance(position, str) and position != "before_char" else []
    content = raw.get("content")
    written = decorators_of(content if isinstance(content, str) else "", FOLLOWED).decorators
    unknown = (f"@@{one.name}" for one in written if one.name not in FOLLOWED)
    filtered = [k for k in ("characterFilter", "characterFilterNames") if raw.get(k)]
    return tuple(dict.fromkeys((*fields, *placed, *filtered, *unknown)))


def changed_entry(raw: Object, dialect: Dialect, changes: Mapping[str, Any]) -> Object:
    """The entry with other values for fields that the dialect's table names."""
    entry = copy.deepcopy(raw)
    for field, value in changes.items():
        if field in dialect.paths:
            told = not value if field == "enabled" and dialect.off_by else value
            _put(entry, dialect.paths[field], told)
    return entry


def _objects(entries: Mapping[str, Any], what: str) -> Mapping[str, Object]:
    for key, one in entries.items():
        if not isinstance(one, dict):
            raise CardError(f"{what}: entries[{key}]: expected an object, got {_brief(one)}")
    return entries


@dataclass(frozen=True)
class _Fields:
    """An entry's fields by our names; null says nothing."""

    raw: Object
    dialect: Dialect
    what: str

    def get(self, name: str, kind: type | tuple[type, ...], named: str, default: Any) -> Any:
        path = self.dialect.paths.get(name)
        value = None if path is None else _at(self.raw, path)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            at = ".".join(path or ())
            raise CardError(f"{self.what}: {at}: expected {named}, got {_brief(value)}")
        return value

    def text(self, name: str) -> str:
        return str(self.get(name, str, "a text", ""))

    def flag(self, name: str, default: bool) -> bool:
        return bool(self.get(name, bool, "true or false", default))

    def number(self, name: str, default: float) -> float:
        value = self.get(name, (int, float), "a number", default)
        if abs(value) > LARGEST:
            self.get(name, type(None), f"a number of at most {LARGEST:,}", default)
        return float(value)

    def count(self, name: str) -> int:
        """A number of messages; what is no number says none, as programs write it."""
        return max(0, int(min(self.number(name, 0), ALWAYS)))

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.get(name, (list, str), "a list of texts", [])
        listed = value.split(",") if isinstance(value, str) else value
        for one in listed:
            if not isinstance(one, str):
                raise CardError(f"{self.what}: {name}: expected texts, got {_brief(one)}")
        return tuple(one.strip() for one in listed if one.strip())


def _reading(fields: _Fields) -> Entry:
    content = decorators_of(fields.text("content"), FOLLOWED)
    secondary = fields.texts("secondary_keys") if fields.flag("selective", True) else ()
    excluded = content.words("exclude_keys")
    sticks = content.value("keep_activate_after_match") is not None
    enabled = fields.flag("enabled", not fields.dialect.off_by) != fields.dialect.off_by
    certain = not fields.flag("use_probability", True)
    return Entry(
        title=fields.text("comment") or fields.text("name"),
        keys=(*fields.texts("keys"), *content.words("additional_keys")),
        secondary_keys=secondary or excluded,
        logic=Logic.NOT_ANY if excluded and not secondary else _logic_of(fields),
        content=content,
        constant=fields.flag("constant", False) or content.value("activate") is not None,
        enabled=enabled and content.value("dont_activate") is None,
        regex=fields.flag("regex", False),
        case_sensitive=fields.flag("case_sensitive", False),
        order=round(fields.number("order", 100)),
        priority=round(fields.number("priority", 0)),
        probability=100.0 if certain else min(100.0, max(0.0, fields.number("probability", 100))),
        sticky=ALWAYS if sticks else fields.count("sticky"),
        cooldown=fields.count("cooldown"),
        delay=fields.count("delay"),
        delay_turns=content.number("activate_only_after") or 0,
        scan_depth=content.number("scan_depth") or fields.count("scan_depth"),
        exclude_recursion=fields.flag("exclude_recursion", False),
        prevent_recursion=fields.flag("prevent_recursion", False),
        by_meaning=fields.flag("vectorized", False),
    )


def _logic_of(fields: _Fields) -> Logic:
    number = round(fields.number("logic", 0))
    return Logic(number) if number in Logic.__members__.values() else Logic.AND_ANY


def _at(raw: Object, path: Path) -> Any:
    value: Any = raw
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _put(raw: Object, path: Path, value: Any) -> None:
    for part in path[:-1]:
        raw = raw.setdefault(part, {})
    raw[path[-1]] = value


def _brief(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
