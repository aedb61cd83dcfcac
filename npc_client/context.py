"""How things stand in the game: what a client tells of it, and what a character was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from npc.v1 import dialogue_pb2
from npc_client.records import Notes, ToldNote

#: What an update does to what was told before; the contract says what each means.
ContextMode: TypeAlias = Literal["append", "replace", "reset"]


@dataclass(frozen=True)
class Written:
    """A value as people write it, which the server reads: `2`, `true`, `rain`."""

    text: str


#: Values by name of a variable.
WorldValues: TypeAlias = Mapping[str, bool | int | float | str | Written]


def world_messages(world: WorldValues | None) -> dict[str, dialogue_pb2.WorldValue]:
    """Values as they are sent."""
    return {name: _message(value) for name, value in (world or {}).items()}


def _message(value: bool | int | float | str | Written) -> dialogue_pb2.WorldValue:
    match value:
        case Written(text):
            return dialogue_pb2.WorldValue(written=text)
        case bool():  # before int, which it is as well
            return dialogue_pb2.WorldValue(flag=value)
        case int():
            return dialogue_pb2.WorldValue(whole=value)
        case float():
            return dialogue_pb2.WorldValue(number=value)
        case str():
            return dialogue_pb2.WorldValue(text=value)


def notes_of(message: dialogue_pb2.Notes) -> Notes:
    """What a character was told."""
    return Notes(
        told=tuple(map(_note, message.told)),
        left_out=tuple(map(_note, message.left_out)),
        tokens=message.tokens,
        tokens_left=message.tokens_left,
    )


def _note(message: dialogue_pb2.Note) -> ToldNote:
    kind = dialogue_pb2.NoteKind.Name(message.kind).removeprefix("NOTE_KIND_").lower()
    return ToldNote(kind, message.text, message.source)
