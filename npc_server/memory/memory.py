"""The memory of all characters: takes note of what players tell, and brings it to mind.

What is stored counts, whoever stored it, so an operator's correction is heard with the next line.
Statements that still wait for the disk are found in its queue. Reading takes a thread of its own:
neither the disk nor the choosing holds up other conversations, and nothing is read for a session
that has nothing to remember.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from feedback_store.errors import FeedbackStoreError
from feedback_store.memory_records import Memories, Span, Statement
from feedback_store.store import Store
from npc_server.errors import UnknownMemoryError
from npc_server.guard_hits import hits_in, is_screened
from npc_server.memory.facts import forgettable
from npc_server.memory.proposing import Proposer
from npc_server.memory.recall import Recollection, recollections
from npc_server.memory.statements import first_in_prompt, statements, tells_anything
from npc_server.memory.summarising import Summariser
from npc_server.note_sources import Moment
from npc_server.recorder import Recorder
from npc_server.sessions import Session, Sessions
from npc_server.turns import OpenTurn
from personas.notes import Note, NoteKind
from personas.render import Tokenizer

logger = logging.getLogger(__name__)

SETTLE_S = 5.0  # for the recorder's queue
_JUST_SAID = 2  # lines before the player's that help to remember


class Memory:
    """What characters remember of players. A source of notes, and a watcher."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        sessions: Sessions,
        tokenizer: Tokenizer,
        prompt_tokens: int,  # for what comes to mind; 0 = nothing does
        summariser: Summariser | None = None,  # None = nothing is summed up
        proposer: Proposer | None = None,  # None = only rules find anything
    ) -> None:
        self._proposer = proposer
        self._store = store
        self._recorder = recorder
        self._sessions = sessions
        self._tokenizer = tokenizer
        self._prompt_tokens = prompt_tokens
        self._summariser = summariser

    # As a source of notes

    def room_tokens(self, session: Session) -> int:
        """Tokens to set aside for what comes to mind: none as long as nothing can."""
        summed_up = self._summariser is not None and self._summariser.has_begun(session)
        across = session.record.memory is Span.PLAYER
        begun = summed_up or self._proposer is not None or tells_anything(session)
        return self._prompt_tokens if across or begun else 0

    async def notes(self, moment: Moment) -> Sequence[Note]:
        """What comes to mind that the prompt does not hold word for word."""
        session = moment.session
        if session.record.memory is Span.SESSION and not moment.dropped_lines:
            return ()
        fresh = self._waiting_statements(session)
        return await asyncio.to_thread(self._notes, moment, fresh)

    def _notes(self, moment: Moment, fresh: Sequence[Statement]) -> list[Note]:
        session = moment.session
        try:
            memories = self._read_memories(session, fresh)
        except FeedbackStoreError as error:
            logger.warning("session %s remembers less: %s", session.session_id, error)
            memories = Memories(tuple(fresh))
        said_before = [line.text for line in moment.history[-_JUST_SAID:]]
        language, visible = session.persona.language, _visible(moment)
        found = recollections(memories, moment.said, said_before, language, visible)
        return self._fitting(found)

    def _fitting(self, found: Sequence[Recollection]) -> list[Note]:
        """Those that fit into the memory's own room, so that they take none of other notes."""
        left, kept = self._prompt_tokens, list[Note]()
        for one in found:
            tokens = len(self._tokenizer.encode(f" {one.text}"))
            if tokens <= left:
                left -= tokens
                kept.append(Note(NoteKind.MEMORY, one.text, one.source, 0 if one.helps else -1))
        return kept

    # As a watcher

    def note_turn(self, turn: OpenTurn) -> None:
        """Remember what the player's line told, once, whatever the takes on its reply.

        Nothing of a line that tries to talk the character out of its role: it would go on trying.
        """
        session, exchange = turn.session, turn.exchange
        if len(exchange.takes) == 1 and not is_screened(hits_in(turn.annotations)):
            for statement in statements(session, exchange):
                self._recorder.remember(statement)
            if self._proposer is not None:
                self._proposer.look_into(session, exchange)
        if self._summariser is not None:
            dropped = first_in_prompt(session, turn.prompt.dropped_lines)
            self._summariser.sum_up(session, session.exchanges[:dropped])

    def note_end(self, session: Session) -> None:
        """Sum up the rest of a conversation that may be remembered in another."""
        if self._summariser is not None and session.record.memory is Span.PLAYER:
            self._summariser.sum_up(session, session.exchanges)

    async def end(self) -> None:
        """Break off what runs beside the conversations."""
        for running in (self._summariser, self._proposer):
            if running is not None:
                await running.end()

    # For those who ask

    async def memories_of(self, session_id: str) -> Memories:
        """All that an open session remembers. Raises UnknownSessionError and the store's errors."""
        session = self._sessions.get(session_id)
        return await asyncio.to_thread(
            self._read_memories, session, self._waiting_statements(session)
        )

    async def forget(self, session_id: str, ids: Sequence[str]) -> int:
        """Forget facts and summaries by their ids, or all; returns how many.

        Raises UnknownSessionError, UnknownMemoryError and StoreUnavailableError.
        """
        session = self._sessions.get(session_id)
        await self._recorder.flush(SETTLE_S)
        memories = await asyncio.to_thread(self._read_memories, session, ())
        stored = forgettable(memories)
        if unknown := [one for one in ids if one not in stored]:
            raise UnknownMemoryError(
                f"nothing that this session remembers has the id {unknown[0]!r}; List tells them"
            )
        asked = dict.fromkeys(ids) if ids else stored
        rows = [row for one in asked for row in stored[one]]
        await asyncio.wrap_future(self._store.delete_memories(rows))
        return len(asked)

    def _waiting_statements(self, session: Session) -> list[Statement]:
        """What counts in a session and still waits for the disk."""
        waiting = self._recorder.waiting_statements(session.persona.id, session.record.player_id)
        own, across = session.session_id, session.record.memory is Span.PLAYER
        return [
            one for one in waiting if one.session_id == own or (across and one.span is Span.PLAYER)
        ]

    def _read_memories(self, session: Session, fresh: Sequence[Statement]) -> Memories:
        record = session.record
        across = record.memory is Span.PLAYER
        character, player_id = session.persona.id, record.player_id
        stored = self._store.memories(character, player_id, session.session_id, across)
        by_id = {one.statement_id: one for one in (*fresh, *stored.statements)}
        return Memories(tuple(by_id.values()), stored.summaries)


def _visible(moment: Moment) -> frozenset[str]:
    """Turns whose words the prompt holds."""
    first = first_in_prompt(moment.session, moment.dropped_lines)
    kept = moment.session.exchanges[first:]
    return frozenset(take.turn_id for exchange in kept for take in exchange.takes)
