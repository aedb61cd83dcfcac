"""The ids that a request names, told by the names of its fields, which mean the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from types import MappingProxyType
from typing import Any


class Named(Enum):
    """What an id is of."""

    SESSION = auto()
    TURN = auto()
    SCENE = auto()
    CHECKPOINT = auto()
    PLAYER = auto()
    CHARACTER = auto()


NAMED_BY: Mapping[str, Named] = MappingProxyType(
    {
        "session_id": Named.SESSION,
        "turn_id": Named.TURN,
        "scene_id": Named.SCENE,
        "token": Named.CHECKPOINT,
        "player_id": Named.PLAYER,
        "character": Named.CHARACTER,
        "characters": Named.CHARACTER,
        "present": Named.CHARACTER,
        "audience": Named.CHARACTER,
        "to": Named.CHARACTER,
    }
)


@dataclass(frozen=True)
class NamedId:
    """An id in a request."""

    named: Named
    value: str


def ids_in(message: Any) -> Iterator[NamedId]:
    """All ids that a protobuf message names, in the order of its fields; empty ones name nothing.

    Where a session is named too, a turn is looked for in that session alone.
    """
    for name, named in _fields_with_ids(message.DESCRIPTOR):
        for value in _values(message, name):
            if named is None:
                yield from ids_in(value)
            elif value:
                yield NamedId(named, value)


@cache
def _fields_with_ids(descriptor: Any) -> tuple[tuple[str, Named | None], ...]:
    """The fields that are ids, and those that hold messages with ids (None)."""
    found: list[tuple[str, Named | None]] = []
    for field in descriptor.fields:
        named = NAMED_BY.get(field.name) if field.type == field.TYPE_STRING else None
        if named is Named.TURN and "session_id" in descriptor.fields_by_name:
            continue
        if named or (field.message_type and _fields_with_ids(field.message_type)):
            found.append((field.name, named))
    return tuple(found)


def _values(message: Any, name: str) -> Iterable[Any]:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        return tuple(getattr(message, name))
    if field.has_presence and not message.HasField(name):
        return ()
    return (getattr(message, name),)
