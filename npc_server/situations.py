"""What games report of their worlds: values and notes, checked before they count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from npc_server.errors import InvalidRequestError
from npc_server.limits import MAX_NOTE_CHARACTERS, check_short_text
from personas.persona import Persona
from personas.situation import GameNote, Mode, NotesRefusedError, Situation
from personas.variables import Value, ValueRefusedError, Values, Written, accepted_values

#: Values by name of a variable, as they are reported.
Reported = Mapping[str, Value | Written]


NOTHING: Reported = MappingProxyType({})


@dataclass(frozen=True)
class ContextUpdate:
    """What a game reports at once."""

    mode: Mode
    notes: Sequence[GameNote]
    world: Reported


def accepted_report(persona: Persona, reported: Reported) -> Values:
    """The values as they are kept. Raises InvalidRequestError, with the name that was meant."""
    if reported and persona.setting is None:
        raise InvalidRequestError(
            f"world: {persona.id} has none; its persona.yaml names one by `world: NAME`"
        )
    try:
        return accepted_values(reported, persona.setting.variables if persona.setting else {})
    except ValueRefusedError as error:
        raise InvalidRequestError(f"world: {error}") from error


def situation_after(persona: Persona, situation: Situation, update: ContextUpdate) -> Situation:
    """The situation after an update. Raises InvalidRequestError."""
    if update.notes and not (persona.setting or persona.lore.entries):
        raise InvalidRequestError(
            f"notes: {persona.id} has no room for any; its persona.yaml names no world"
        )
    values = accepted_report(persona, update.world)
    notes = [
        GameNote(check_short_text("notes.text", note.text, MAX_NOTE_CHARACTERS), note.priority)
        for note in update.notes
    ]
    try:
        return situation.after_update(update.mode, values, notes)
    except NotesRefusedError as error:
        raise InvalidRequestError(f"notes: {error}") from error
