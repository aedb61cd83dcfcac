"""How things stand in one conversation: what its game reported of the world's state. Pure.

Values that nobody reported are as the world declares them. A situation is replaced, never changed,
so a reply that is being made keeps the one it began with; a save game stores it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from personas.notes import Note, NoteKind
from personas.variables import Value, ValueRefusedError, Values, accepted_values
from personas.world import World

MAX_NOTES = 64
GAME = "game"  # the source of what the game wrote itself


class NotesRefusedError(ValueError):
    """More notes than are told at once."""


class Mode(Enum):
    """What an update does to what was there."""

    APPEND = "append"  # notes come on top, values change
    REPLACE = "replace"  # notes take the place of the earlier ones, values change
    RESET = "reset"  # so do notes, and values that are not given are as declared


@dataclass(frozen=True)
class GameNote:
    """A sentence or some that the game wrote, for the character."""

    text: str
    priority: int = 0


@dataclass(frozen=True)
class Situation:
    """What was reported: values of the world's variables, and notes of the game's own."""

    values: Values = field(default_factory=dict)
    notes: tuple[GameNote, ...] = ()

    def state(self, world: World | None) -> Values:
        """The values of all variables of the world. What it no longer takes is as declared."""
        if world is None:
            return {}
        if not self.values:
            return world.defaults
        return {**world.defaults, **_still_taken(self.values, world)}

    def after_update(self, mode: Mode, values: Values, notes: Sequence[GameNote]) -> "Situation":
        """The situation after an update with accepted values. Raises NotesRefusedError."""
        earlier = () if mode is not Mode.APPEND else self.notes
        known = {} if mode is Mode.RESET else self.values
        return Situation({**known, **values}, _require_few((*earlier, *notes)))

    def with_values(self, values: Values) -> "Situation":
        """The situation after these accepted values were reported."""
        return replace(self, values={**self.values, **values}) if values else self

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        notes = [{"text": note.text, "priority": note.priority} for note in self.notes]
        return {"values": dict(self.values), "notes": notes}


NOTHING_REPORTED = Situation()


def situation_of(stored: Mapping[str, Any]) -> Situation:
    """The situation that `to_json` stored; {} was stored before there were any."""
    notes = (GameNote(note["text"], note["priority"]) for note in stored.get("notes", ()))
    return Situation(dict(stored.get("values", {})), tuple(notes))


def world_notes(world: World, situation: Situation) -> tuple[Note, ...]:
    """What a character is told of how things stand."""
    state = situation.state(world)
    told = (
        Note(NoteKind.WORLD, variable.note_of(state[name]), f"{world.id}/{name}")
        for name, variable in world.variables.items()
    )
    game = (Note(NoteKind.WORLD, note.text, GAME, note.priority) for note in situation.notes)
    return (*(note for note in told if note.text), *game)


def _require_few(notes: tuple[GameNote, ...]) -> tuple[GameNote, ...]:
    if len(notes) > MAX_NOTES:
        raise NotesRefusedError(
            f"{len(notes)} notes would be told at once; at most {MAX_NOTES} are taken:"
            " replace them, or reset"
        )
    return notes


def _still_taken(values: Values, world: World) -> dict[str, Value]:
    """Those that the world takes, which may have changed since they were reported."""
    taken: dict[str, Value] = {}
    for name, value in values.items():
        try:
            taken |= accepted_values({name: value}, world.variables)
        except ValueRefusedError:
            continue
    return taken
