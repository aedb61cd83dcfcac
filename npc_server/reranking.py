"""Best of n: several replies to one prompt at once, of which the best is said.

The candidates differ in nothing but the seed, so the engine reads their prompt once and draws them
side by side. Which is best is a scorer's word; the one here only knows faults, and judges nobody's
charm. It is pure and deterministic: the same candidates give the same winner.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from npc_server.engine.errors import EngineError
from npc_server.engine.protocol import Engine, Finish, Request
from personas import checks
from personas.persona import Persona
from personas.render import Line, Speaker
from personas.words import words

_SEEDS = 1 << 32


@dataclass(frozen=True)
class Candidate:
    """One reply that could be said, and what drew it."""

    request: Request
    reply: Finish


class Scorer(Protocol):
    """Judges candidates."""

    def score(
        self, persona: Persona, player_text: str, history: Sequence[Line], reply: str
    ) -> float:
        """How good the reply is; higher is better. The history includes earlier takes on it."""
        ...


class FaultScorer:
    """Counts faults. A graver one outweighs all lesser ones together, so the order is the rule."""

    def score(
        self, persona: Persona, player_text: str, history: Sequence[Line], reply: str
    ) -> float:
        """0 for a reply without fault, less with every one."""
        grave_first = (
            bool(checks.leaked_secrets(reply, persona)),
            not words(reply),
            checks.out_of_character(reply) or checks.recites_instructions(reply, persona),
            bool(checks.broken_taboos(reply, persona)),
            _said_before(reply, history),
            _loops(reply),
            _sentences(reply) > persona.voice.max_sentences,
            not _ends_well(reply),
        )
        return -sum(2.0**-place for place, fault in enumerate(grave_first) if fault)


_LOOPING_SHARE = 0.2  # of a reply's word trigrams that it said before


def _loops(reply: str) -> bool:
    return checks.repeated_trigram_share(reply) > _LOOPING_SHARE


def _said_before(reply: str, history: Sequence[Line]) -> bool:
    said = words(reply)
    own = (line.text for line in history if line.speaker is Speaker.CHARACTER)
    return any(words(text) == said for text in own)


_SENTENCE_END = re.compile(r"[.!?…]+(?=[\s\"'”’»*)]|$)")


def _sentences(reply: str) -> int:
    return len(_SENTENCE_END.findall(reply.strip()))


def _ends_well(reply: str) -> bool:
    return bool(re.search(r"[.!?…—][\s\"'”’»*)]*$", reply))


def candidates_of(request: Request, count: int) -> list[Request]:
    """The request under `count` seeds that follow each other; the first is the request itself."""
    seed = request.sampling.seed
    return [request] + [
        replace(
            request,
            request_id=f"{request.request_id}-{i}",
            sampling=replace(request.sampling, seed=(seed + i) % _SEEDS),
        )
        for i in range(1, count)
    ]


async def drawn(engine: Engine, requests: Sequence[Request]) -> list[Candidate]:
    """The replies to all requests, generated at once; those that failed are left out.

    Raises what the first failed with when all fail. Cancelling it, or an error that is not the
    engine's, cancels all, and returns only when the engine is free of them.
    """
    tasks = [asyncio.create_task(_finished(engine, request)) for request in requests]
    try:
        ended = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    replies = [
        Candidate(request, reply)
        for request, reply in zip(requests, ended, strict=True)
        if isinstance(reply, Finish)
    ]
    if not replies:
        raise next(error for error in ended if isinstance(error, EngineError))
    return replies


async def _finished(engine: Engine, request: Request) -> Finish | EngineError:
    try:
        async with aclosing(engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Finish):
                    return event
    except EngineError as error:
        return error
    raise RuntimeError(f"the engine left request {request.request_id} without a finish")


def best(
    candidates: Sequence[Candidate],
    scorer: Scorer,
    persona: Persona,
    player_text: str,
    history: Sequence[Line],
) -> Candidate:
    """The candidate with the highest score; of equals, the first."""
    return max(
        candidates,
        key=lambda candidate: scorer.score(persona, player_text, history, candidate.reply.text),
    )
