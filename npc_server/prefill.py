"""Before a version goes live it has prefilled the persona's prompt prefix.

Keys and values are computed anew under every adapter, so the first turn after a promotion would pay
for the whole persona. The engine computes that prefix while the old version still serves, and keeps
it.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import aclosing

from npc_server.adapters import LiveAdapter
from npc_server.engine.errors import EngineError
from npc_server.engine.protocol import Request, Sampling
from npc_server.turns import Model
from personas.persona import Persona
from personas.render import START, opening_ids

logger = logging.getLogger(__name__)


async def prefill_opening(model: Model, persona: Persona, adapter: LiveAdapter) -> None:
    """Have the engine compute and keep the prompt prefix of every conversation with `persona`.

    A failure does not stop a promotion: the first turn then computes the prefix.
    """
    ids = opening_ids(persona, model.tokenizer)
    request = Request(
        request_id=f"prefill-{uuid.uuid4().hex}",
        prompt_ids=(*ids, model.tokenizer.control(START)),
        adapter=adapter.content_hash,
        sampling=Sampling(temperature=0, max_tokens=1),
        pinned_tokens=len(ids),
        background=True,
    )
    try:
        async with aclosing(model.engine.generate(request)) as events:
            await anext(events)
    except EngineError as error:
        logger.warning("%s: the prompt prefix was not prefilled: %s", persona.id, error)
