"""What a character is told of its world at a line: how things stand, and the lore that fires. Pure.

The server tells it, and the gate asks its questions with it, so that a voice is judged as it is
served.
"""

from collections.abc import Sequence

from personas.lore.firing import Firing, Occasion, Rules, fire
from personas.lore.shelf import Shelf
from personas.notes import Note, NoteKind
from personas.persona import Persona
from personas.render import told_of
from personas.situation import NOTHING_REPORTED
from personas.variables import Values

ROOM_TOKENS = 128  # for it in a prompt, unless configured
#: A secret that there is for a while only is told before all that may be left out.
_SECRET_PRIORITY = 1_000_000


def note_of(firing: Firing) -> Note:
    """What is told of an entry that fires."""
    return Note(NoteKind.LORE, firing.entry.text, firing.source, firing.entry.priority)


def secret_notes(persona: Persona, state: Values) -> tuple[Note, ...]:
    """What the character is told of secrets that depend on the state of the world."""
    return tuple(
        Note(NoteKind.WORLD, told_of(secret), f"{persona.id}/{secret.id}", _SECRET_PRIORITY)
        for secret in persona.secrets_at(state)
        if secret.when
    )


def shelves_of(persona: Persona) -> tuple[Shelf, ...]:
    """The lore that the character may be told, made ready to be searched by key."""
    own, world = persona.lore.entries, persona.setting
    shared = [Shelf(world.id, world.entries, world.card.language)] if world else []
    return (*shared, *([Shelf(persona.id, own, persona.language)] if own else []))


def opening_notes(persona: Persona, shelves: Sequence[Shelf], line: str) -> tuple[Note, ...]:
    """What the first line of a conversation brings up, while all is as declared."""
    state = NOTHING_REPORTED.state(persona.setting)
    outcome = fire(shelves, Occasion(persona.id, [line], state), Rules())
    return (*secret_notes(persona, state), *map(note_of, outcome.fired))
