"""Has characters sum up what no longer fits into their prompts, while nobody waits.

A character that cannot put it well within three tries remembers the facts alone. No turn waits for
a summary, and none fails for want of one.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from feedback_store.errors import FeedbackStoreError
from feedback_store.memory_records import Summary
from feedback_store.store import Store
from npc_server.engine.errors import EngineError
from npc_server.memory.idle_asking import IdleAsking
from npc_server.memory.summaries import (
    MAX_TOKENS,
    TRIES,
    asking,
    first_words,
    objection,
    sampling,
)
from npc_server.recorder import Recorder
from npc_server.sessions import Exchange, Session
from npc_server.turns import Model
from npc_server.world_notes import state_of
from personas.sizes import END_TOKENS

logger = logging.getLogger(__name__)

FEWEST = 2  # exchanges that are worth a summary


class Summariser:
    """Makes summaries for all sessions, one at a time for each."""

    def __init__(self, model: Model, asker: IdleAsking, store: Store, recorder: Recorder) -> None:
        self._model = model
        self._asker = asker
        self._store = store
        self._recorder = recorder
        self._running: dict[str, asyncio.Task[None]] = {}  # by session
        self._covered: dict[str, set[str]] = {}  # turns that are summed up or cannot be

    def has_begun(self, session: Session) -> bool:
        """Whether anything of a session was summed up, or was tried to."""
        return session.session_id in self._covered

    def sum_up(self, session: Session, exchanges: Sequence[Exchange]) -> None:
        """Begin to sum up those of the exchanges that no summary has; returns at once."""
        session_id = session.session_id
        if (
            session_id in self._running
            or len(self._uncovered_exchanges(session_id, exchanges)) < FEWEST
        ):
            return
        task = asyncio.create_task(self._sum_up(session, list(exchanges)))
        self._running[session_id] = task
        task.add_done_callback(lambda _: self._running.pop(session_id, None))

    async def end(self) -> None:
        """Break off what is running."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until nothing is running."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _uncovered_exchanges(
        self, session_id: str, exchanges: Sequence[Exchange]
    ) -> list[Exchange]:
        covered = self._covered.get(session_id, set())
        return [
            one
            for one in exchanges
            if one.kept.text.strip() and not one.kept.unread and one.kept.turn_id not in covered
        ]

    async def _sum_up(self, session: Session, exchanges: list[Exchange]) -> None:
        session_id = session.session_id
        try:
            if session_id not in self._covered:
                self._covered[session_id] = await asyncio.to_thread(self._read_covered, session)
            left = self._uncovered_exchanges(session_id, exchanges)
            if len(left) >= FEWEST:
                await self._make(session, left)
        except (EngineError, FeedbackStoreError) as error:
            logger.info("session %s is not summed up: %s", session_id, error)

    def _read_covered(self, session: Session) -> set[str]:
        record = session.record
        known = self._store.memories(record.character, record.player_id, record.session_id)
        own = (one for one in known.summaries if one.session_id == record.session_id)
        return {turn_id for one in own for turn_id in one.turn_ids}

    async def _make(self, session: Session, left: Sequence[Exchange]) -> None:
        room = self._model.reply_context - MAX_TOKENS - END_TOKENS
        count, ids = asking(session.persona, left, self._model.tokenizer, room)
        part = left[:count]
        for seed in range(TRIES if part else 0):
            answer = await self._asker.ask(ids, sampling(seed), session.persona.id)
            text = f"{first_words(session.persona)}{answer or ''}".strip()
            fault = objection(text, part, session.persona, state_of(session))
            if not fault:
                self._recorder.remember(_summary(session, part, text))
                break
            logger.info("session %s: a summary is dropped: %s", session.session_id, fault)
        self._covered[session.session_id] |= {one.kept.turn_id for one in part or left}


def _summary(session: Session, exchanges: Sequence[Exchange], text: str) -> Summary:
    record = session.record
    return Summary(
        summary_id=uuid.uuid4().hex[:12],
        session_id=record.session_id,
        player_id=record.player_id,
        character=record.character,
        turn_ids=tuple(one.kept.turn_id for one in exchanges),
        text=text,
        span=record.memory,
        made_at=datetime.now(UTC),
    )
