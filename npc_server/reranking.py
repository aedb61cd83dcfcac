"""Best of n: several replies to one prompt are drawn at once, and the best is said.

The candidates differ only in their seeds, so the engine computes their prompt once and draws them
side by side. Faults come first: a pure, deterministic scorer keeps only the candidates with the
least faults; when all were said before in the conversation, as many more are drawn first. Among
these the character's reward head decides, an adapter that scores a reply by two
logits after its end; so charm never makes up for a leaked secret. Without a head, or when the
engine cannot score, the first of them is said.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from npc_server.adapters import LiveAdapter
from npc_server.engine.errors import EngineError
from npc_server.engine.protocol import Engine, Finish, Request
from personas.checks import says_again
from personas.faults import Fault, ReplyInContext, find_faults
from personas.persona import Persona
from personas.render import Line, Speaker, Tokenizer, reply_ids
from personas.variables import Values

logger = logging.getLogger(__name__)

_SEEDS = 1 << 32


@dataclass(frozen=True)
class Candidate:
    """One reply that could be said, and the request that drew it."""

    request: Request
    reply: Finish


@dataclass(frozen=True)
class Judged:
    """What candidates are judged against."""

    persona: Persona
    player_text: str
    history: Sequence[Line] = ()  # with earlier takes on the reply
    state: Values | None = None  # of the session's world; None = as it is declared


class Scorer(Protocol):
    """Scores candidates."""

    def score(self, at: Judged, reply: str) -> float:
        """How good the reply is; higher is better."""
        ...


#: Faults of a single reply; those of a voice as a whole are the gate's.
AVOIDED = frozenset(
    {
        Fault.LEAK,
        Fault.UNSAFE,
        Fault.BLOCKED,
        Fault.OUT_OF_CHARACTER,
        Fault.RECITES,
        Fault.TABOO,
        Fault.EMPTY,
        Fault.SAID_BEFORE,
        Fault.LOOP,
        Fault.TOO_MANY_SENTENCES,
        Fault.CUT_OFF,
    }
)


class FaultScorer:
    """Counts faults. A graver one outweighs all lesser ones together, so the order is the rule."""

    def score(self, at: Judged, reply: str) -> float:
        """0 for a reply without fault, less with every one."""
        earlier = tuple(line.text for line in at.history if line.speaker is Speaker.CHARACTER)
        said = ReplyInContext(at.persona, reply, at.player_text, earlier, state=at.state)
        found = find_faults(said, AVOIDED)
        return -sum(2.0**-place for place, fault in enumerate(found.values()) if fault)


def candidate_requests(request: Request, count: int, start: int = 0) -> list[Request]:
    """The request under consecutive seeds, from `start` on; number 0 is the request itself."""
    return [_under_seed(request, number) for number in range(start, start + count)]


def _under_seed(request: Request, number: int) -> Request:
    if number == 0:
        return request
    seed = (request.sampling.seed + number) % _SEEDS
    return replace(
        request,
        request_id=f"{request.request_id}-{number}",
        sampling=replace(request.sampling, seed=seed),
    )


async def draw_something_new(
    engine: Engine, request: Request, count: int, said: Sequence[str]
) -> list[Candidate]:
    """Draw `count` candidates, and once as many more when each of them was `said` before.

    Raises and cancels as `draw`; when only the second drawing fails, the first counts.
    """
    first = await draw(engine, candidate_requests(request, count))
    always_the_same = request.sampling.temperature == 0
    if always_the_same or not all(_was_said(one, said) for one in first):
        return first
    try:
        return [*first, *await draw(engine, candidate_requests(request, count, count))]
    except EngineError as error:
        logger.warning("no more candidates for %s: %s", request.request_id, error)
        return first


def _was_said(candidate: Candidate, said: Sequence[str]) -> bool:
    return any(says_again(candidate.reply.text, text) for text in said)


async def draw(engine: Engine, requests: Sequence[Request]) -> list[Candidate]:
    """Generate the replies to all requests at once, leaving out those that failed.

    Raises the first error when all fail. When this is cancelled, or fails otherwise, it ends only
    once the engine is free of all requests.
    """
    ended = await _generate_all(engine, requests)
    replies = [
        Candidate(request, reply)
        for request, reply in zip(requests, ended, strict=True)
        if isinstance(reply, Finish)
    ]
    if not replies:
        raise next(error for error in ended if isinstance(error, EngineError))
    return replies


async def _generate_all(engine: Engine, requests: Sequence[Request]) -> list[Finish | EngineError]:
    tasks = [asyncio.create_task(_generate(engine, request)) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _generate(engine: Engine, request: Request) -> Finish | EngineError:
    try:
        async with aclosing(engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Finish):
                    return event
    except EngineError as error:
        return error
    raise RuntimeError(f"the engine left request {request.request_id} without a finish")


def finalists(candidates: Sequence[Candidate], scorer: Scorer, at: Judged) -> list[Candidate]:
    """The candidates with the highest score, in the order they were drawn."""
    scores = [scorer.score(at, candidate.reply.text) for candidate in candidates]
    return [one for one, score in zip(candidates, scores, strict=True) if score == max(scores)]


async def choose_favourite(
    engine: Engine, head: LiveAdapter, tokenizer: Tokenizer, candidates: Sequence[Candidate]
) -> Candidate | None:
    """The candidate that the head scores highest; the first of equal ones.

    None when there is no head or no choice, or when the engine cannot score.
    """
    if head.contrast is None or len(candidates) == 1:
        return None
    requests = [_scoring_request(head, tokenizer, one) for one in candidates]
    ended = await _generate_all(engine, requests)
    scores = [_score(one) for one in ended]
    if not all(map(math.isfinite, scores)):
        errors = "; ".join(str(one) for one in ended if isinstance(one, EngineError))
        logger.warning("reward head %s could not score: %s", head.version, errors or scores)
        return None
    return candidates[scores.index(max(scores))]


def _scoring_request(head: LiveAdapter, tokenizer: Tokenizer, candidate: Candidate) -> Request:
    """Prompt and reply as the head was trained on them: with the end of the reply's turn."""
    asked = candidate.request
    return Request(
        request_id=f"{asked.request_id}-judged",
        prompt_ids=(*asked.prompt_ids, *reply_ids(candidate.reply.text, tokenizer)),
        adapter=head.content_hash,
        pinned_tokens=asked.pinned_tokens,
        choices=head.contrast or (),
        party=asked.party,
    )


def _score(ended: Finish | EngineError) -> float:
    """The score in nats; -inf when there is none."""
    if isinstance(ended, EngineError) or not ended.choices:
        return -math.inf
    good, bad = ended.choices
    return good - bad
