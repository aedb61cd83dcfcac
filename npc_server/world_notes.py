"""What characters are told of their world: how things stand, and the lore that a line touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npc_server.lore_shelves import Shelves
from npc_server.note_sources import Moment
from npc_server.sessions import Session
from personas.lore.firing import Occasion, Outcome, Rules, fire
from personas.lore.timing import told_by_source
from personas.lore_notes import note_of, secret_notes
from personas.notes import Note
from personas.render import Line
from personas.situation import world_notes
from personas.variables import Values


@dataclass(frozen=True)
class WorldNotes:
    """A source of notes of the kinds WORLD and LORE."""

    shelves: Shelves
    rules: Rules
    tokens: int  # set aside for them in the prompts of a character that has any

    def room_tokens(self, session: Session) -> int:
        """Tokens for a character that has a world, or lore of its own."""
        persona = session.persona
        return self.tokens if persona.setting or persona.lore.entries else 0

    async def notes(self, moment: Moment) -> Sequence[Note]:
        """How things stand, then the entries that fire."""
        session = moment.session
        persona, state = session.persona, state_of(session)
        standing = world_notes(persona.setting, session.situation) if persona.setting else ()
        outcome = await self.outcome(session, moment.said, moment.history)
        lore = (note_of(firing) for firing in outcome.fired)
        return (*standing, *secret_notes(persona, state), *lore)

    async def outcome(self, session: Session, said: str, history: Sequence[Line]) -> Outcome:
        """Which entries fire at a line, and which are held back."""
        shelves = await self.shelves.shelves_of(session.persona)
        return fire(shelves, occasion_of(session, said, history), self.rules)


def state_of(session: Session) -> Values:
    """The values of all variables of the session's world."""
    return session.situation.state(session.persona.setting)


def occasion_of(session: Session, said: str, history: Sequence[Line]) -> Occasion:
    """A line of the session as lore sees it."""
    before = [line.text for line in reversed(history)]
    told = ([note.source for note in exchange.told] for exchange in session.exchanges)
    return Occasion(
        character=session.persona.id,
        lines=[text for text in (said, *before) if text],
        values=state_of(session),
        turn=len(session.exchanges),
        told=told_by_source(told),
        conversation=session.session_id,
    )
