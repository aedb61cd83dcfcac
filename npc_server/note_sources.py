"""Where the notes of a line come from: world, lore, memory, events, each a source of its own.

A source says how much room it wants in a conversation. That is set aside in every prompt of the
conversation, so that they begin alike whether or not the source has something to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from npc_server.sessions import Session
from personas.notes import MOST_SHARE, Note
from personas.render import Line


@dataclass(frozen=True)
class Moment:
    """A line that is about to be answered for the first time."""

    session: Session
    said: str  # by the player; "" = nobody said anything, something happened
    history: Sequence[Line]  # before it
    turn_id: str  # of the reply
    seed: int
    dropped_lines: int = 0  # of history, oldest; when notes take all their room, as `Prompt` has it


class NoteSource(Protocol):
    """Something that has notes for a character."""

    def room_tokens(self, session: Session) -> int:
        """Tokens to set aside for its notes; 0 = it has none in this conversation by now."""
        ...

    async def notes(self, moment: Moment) -> Sequence[Note]:
        """What the character is to know at this moment. Quick, and never raises."""
        ...


def room_of(sources: Iterable[NoteSource], session: Session, context_tokens: int) -> int:
    """Tokens set aside for the notes of all sources."""
    wanted = sum(source.room_tokens(session) for source in sources)
    return min(wanted, int(context_tokens * MOST_SHARE))


async def notes_of(sources: Iterable[NoteSource], moment: Moment) -> tuple[Note, ...]:
    """The notes of all sources, in their order."""
    asked = [source for source in sources if source.room_tokens(moment.session)]
    return tuple([note for source in asked for note in await source.notes(moment)])
