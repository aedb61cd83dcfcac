"""Asks the model what nobody waits for.

The engine runs it as it reads ahead: only while no player needs what it takes, and it gives way at
once. What was broken off is asked again, a number of times.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from npc_server.adapters import Adapters
from npc_server.engine.protocol import Engine, Finish, FinishReason, Request, Sampling
from npc_server.turns import SENTENCE_RULE

PAUSE_S = 2.0  # after a player was in the way
INTERRUPTIONS = 30  # after which it is left


class IdleAsking:
    """Asks one engine, in the voice of a character or of the bare base."""

    def __init__(self, engine: Engine, adapters: Adapters) -> None:
        self._engine = engine
        self._adapters = adapters

    async def ask(
        self, prompt_ids: tuple[int, ...], sampling: Sampling, character: str = ""
    ) -> str | None:
        """The answer; None where players were in the way all the time. Raises EngineError."""
        for _ in range(INTERRUPTIONS):
            with self._voice(character) as adapter:
                finish = await self._generate(_request(prompt_ids, sampling, adapter))
            if finish is not None and finish.reason is not FinishReason.CANCELLED:
                return finish.text
            await asyncio.sleep(PAUSE_S)
        return None

    @contextmanager
    def _voice(self, character: str) -> Iterator[str]:
        """The content hash of a character's live version, pinned; "" = the bare base."""
        if not character:
            yield ""
            return
        with self._adapters.lease(character) as adapter:
            yield adapter.content_hash

    async def _generate(self, request: Request) -> Finish | None:
        async with aclosing(self._engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Finish):
                    return event
        return None


def _request(prompt_ids: tuple[int, ...], sampling: Sampling, adapter: str) -> Request:
    return Request(
        request_id=f"memory-{uuid.uuid4().hex}",
        prompt_ids=prompt_ids,
        adapter=adapter,
        sampling=sampling,
        background=True,
        idle=True,
        sentences=SENTENCE_RULE if sampling.max_sentences else None,
    )
