"""Has the base model look for what a player told where no rule found anything, while it is idle.

One line at a time; when many wait, the newest are asked about.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from npc_server.engine.errors import EngineError
from npc_server.memory.idle_asking import IdleAsking
from npc_server.memory.proposals import asking, may_tell, proposals, sampling
from npc_server.memory.statements import proposed_statements, told_in
from npc_server.recorder import Recorder
from npc_server.sessions import Exchange, Session
from personas.render import Tokenizer

logger = logging.getLogger(__name__)

MAX_WAITING = 256  # lines


class Proposer:
    """Asks about the lines of all sessions."""

    def __init__(self, asker: IdleAsking, tokenizer: Tokenizer, recorder: Recorder) -> None:
        self._asker = asker
        self._tokenizer = tokenizer
        self._recorder = recorder
        self._lines: deque[tuple[Session, Exchange]] = deque(maxlen=MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    def look_into(self, session: Session, exchange: Exchange) -> None:
        """Ask about a line, unless a rule found something or nothing can be found; returns at once.

        What is found is remembered as a rule's finding is.
        """
        told = exchange.told_by(session.record.player_id)
        if told_in(session, exchange) or not may_tell(told):
            return
        self._lines.append((session, exchange))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Break off what is running."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._lines:
            session, exchange = self._lines.pop()
            try:
                await self._look(session, exchange)
            except EngineError as error:
                logger.info(
                    "a line of session %s is not looked into: %s", session.session_id, error
                )

    async def _look(self, session: Session, exchange: Exchange) -> None:
        line = exchange.told_by(session.record.player_id)
        answer = await self._asker.ask(asking(line, self._tokenizer), sampling(seed=0))
        for statement in proposed_statements(session, exchange, proposals(answer or "", line)):
            self._recorder.remember(statement)
