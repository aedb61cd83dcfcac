"""What the engine reads before anybody waits for it.

Keys and values are computed anew under every adapter, so the first turn after a promotion would pay
for the whole persona. The engine computes that prefix while the old version still serves, and keeps
it.

A conversation that has filled the context begins elsewhere once in a while, and that turn would pay
for all that is left of it. Where it will begin is known when a reply has ended, so the engine reads
it while the player reads the reply, and only while nobody else needs what that takes.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import aclosing
from dataclasses import replace

from npc_server.adapters import LiveAdapter
from npc_server.engine.errors import EngineError
from npc_server.engine.protocol import Request, Sampling
from npc_server.turns import Model
from personas.persona import Persona
from personas.render import following_id, opening_ids

logger = logging.getLogger(__name__)


async def prefill_opening(model: Model, persona: Persona, adapter: LiveAdapter) -> None:
    """Have the engine compute and keep the prompt prefix of every conversation with `persona`.

    A failure does not stop a promotion: the first turn then computes the prefix.
    """
    ids = opening_ids(persona, model.tokenizer)
    request = replace(_reading(model, ids, adapter), pinned_tokens=len(ids), background=True)
    try:
        async with aclosing(model.engine.generate(request)) as events:
            await anext(events)  # the prefix is read once anything is said after it
    except EngineError as error:
        logger.warning("%s: the prompt prefix was not prefilled: %s", persona.id, error)


class ReadingAhead:
    """Reads what the next prompts of conversations begin with, one reading per session at most."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._readings: dict[str, asyncio.Task[None]] = {}

    def begin(self, session_id: str, ids: tuple[int, ...], adapter: LiveAdapter) -> None:
        """Start reading, in place of what is being read for this session."""
        self.stop(session_id)
        reading_it = _reading(self._model, ids, adapter)
        request = replace(reading_it, background=True, idle=True, conversation=session_id)
        reading = asyncio.create_task(self._read(request))
        self._readings[session_id] = reading
        reading.add_done_callback(lambda done: self._forget(session_id, done))

    def stop(self, session_id: str) -> None:
        """Stop reading for a session; what has been read stays with the engine."""
        if reading := self._readings.pop(session_id, None):
            reading.cancel()

    def stop_all(self) -> None:
        """Stop reading for every session."""
        for session_id in list(self._readings):
            self.stop(session_id)

    async def _read(self, request: Request) -> None:
        try:
            await _read(self._model, request)
        except EngineError as error:  # the next turn reads it
            logger.info("%s: %s", request.request_id, error)

    def _forget(self, session_id: str, done: asyncio.Task[None]) -> None:
        if self._readings.get(session_id) is done:
            del self._readings[session_id]


def _reading(model: Model, ids: tuple[int, ...], adapter: LiveAdapter) -> Request:
    return Request(
        request_id=f"prefill-{uuid.uuid4().hex}",
        prompt_ids=(*ids, following_id(model.tokenizer)),
        adapter=adapter.content_hash,
        sampling=Sampling(temperature=0, max_tokens=1),
    )


async def _read(model: Model, request: Request) -> None:
    async with aclosing(model.engine.generate(request)) as events:
        async for _ in events:
            pass
