"""What is done around a character that comes to the cast, or comes anew, while it plays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from npc_server.adapters import Adapters
from npc_server.prefill import prefill_opening
from npc_server.sessions import Sessions
from npc_server.turns import Model
from personas.persona import Persona
from personas.sizes import size_of

logger = logging.getLogger(__name__)


class Admission:
    """Lets characters in, by their size, and has the engine read what they begin with."""

    def __init__(
        self, model: Model, adapters: Adapters, heads: Adapters, sessions: Sessions
    ) -> None:
        self._model = model
        self._adapters = adapters
        self._heads = heads
        self._sessions = sessions
        self._readings: set[asyncio.Task[None]] = set()

    def fault(self, persona: Persona) -> str:
        """Why nobody could speak with it; "" = anybody can."""
        size = size_of(persona, self._model.tokenizer, self._model.reply_context)
        if size.warning:
            logger.warning(size.warning)
        return size.fault

    async def prepare(self, persona: Persona) -> None:
        """Load what is live for it on disk, before anybody speaks with it."""
        await self._adapters.admit(persona.id)
        if persona.sampling.best_of > 1:
            await self._heads.admit(persona.id)

    def welcome(self, personas: Sequence[Persona]) -> None:
        """Have the engine read how conversations now begin, with those who are spoken with."""
        spoken_with = self._sessions.characters()
        for persona in personas:
            for gap in persona.gaps:
                logger.warning("%s: %s", persona.id, gap)
        if awaited := [one for one in personas if one.id in spoken_with]:
            reading = asyncio.create_task(self._read(awaited))
            self._readings.add(reading)
            reading.add_done_callback(self._readings.discard)

    async def _read(self, personas: Sequence[Persona]) -> None:
        for persona in personas:
            with self._adapters.lease(persona.id) as adapter:
                await prefill_opening(self._model, persona, adapter)
