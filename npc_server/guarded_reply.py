"""A reply under the guard: held back word by word, drawn again once, then a fallback line.

Nothing that was withheld was sent, not even its beginning, so the player hears one reply. What was
sent before a fault stays: if it ends where a sentence does, the reply ends there; else the second
try goes on from it, under a seed that follows from the first. When that fails, too, the character
breaks off and says its fallback line. A reply that must have a form is sent as a whole.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from npc_server.engine.protocol import Delta, Finish, FinishReason, Request
from npc_server.guard_hits import GuardAction, GuardHit
from personas.guarded_stream import GuardedStream, Watch
from personas.render import BROKEN_OFF, Tokenizer
from personas.sentences import ends_whole, sentence_ends

SEEDS = 1 << 32
#: From a seed to that of the second try; far from those of candidates, which follow each other.
RETRY_STEP = 1 << 31


@dataclass(frozen=True)
class Guarded:
    """How a reply under the guard ended."""

    reply: Finish  # its text is what was sent
    hits: tuple[GuardHit, ...] = ()
    seed: int | None = None  # of the second try, if it was said
    in_one_piece: bool = True  # drawn as it stands; otherwise nobody knows how likely it was


@dataclass(frozen=True)
class Speech:
    """What one reply is made with."""

    generate: Callable[[Request], AsyncGenerator[Delta | Finish]]
    tokenizer: Tokenizer
    request: Request
    watch: Watch
    fallback: str
    begun: float = field(default_factory=time.perf_counter)

    @property
    def in_form(self) -> bool:
        """Whether the reply keeps to a grammar: then it is sent as a whole or not at all."""
        return self.request.sampling.in_form

    def stream(self, said: str = "") -> GuardedStream:
        """What a try goes through, behind what was said before."""
        return GuardedStream(self.watch, said, as_a_whole=self.in_form)


async def speak(speech: Speech) -> AsyncGenerator[Delta | Guarded]:
    """Stream a reply; its deltas are the text of the `Guarded` that comes last.

    Raises the engine's errors.
    """
    stream = speech.stream()
    async with aclosing(_attempt(speech.generate(speech.request), stream)) as events:
        async for event in events:
            yield event if isinstance(event, Delta) else Guarded(event)
    if stream.fault is None:
        return
    again_possible = not ends_whole(stream.shown) and speech.request.sampling.temperature > 0
    follow = _try_again if again_possible else _end
    async with aclosing(follow(speech, stream)) as following:
        async for step in following:
            yield step


async def _attempt(
    generated: AsyncGenerator[Delta | Finish], stream: GuardedStream
) -> AsyncGenerator[Delta | Finish]:
    """Let a reply through the stream; without a Finish, if that finds a fault."""
    async with aclosing(generated) as events:
        async for event in events:
            shown = stream.push(event.text) if isinstance(event, Delta) else stream.finish()
            if shown:
                yield Delta(shown)
            if stream.fault is not None:
                return
            if isinstance(event, Finish):
                yield event


async def _try_again(speech: Speech, faulty: GuardedStream) -> AsyncGenerator[Delta | Guarded]:
    """Draw the rest of a reply a second time."""
    request = again(speech.request, faulty.shown, speech.tokenizer)
    stream = speech.stream(faulty.shown)
    async with aclosing(_attempt(speech.generate(request), stream)) as events:
        async for event in events:
            if isinstance(event, Delta):
                yield event
            else:
                yield _second_try(speech, request, event, stream.text, faulty)
    if stream.fault is not None:
        tried = GuardHit(str(faulty.fault), GuardAction.RETRIED)
        async with aclosing(_end(speech, stream, tried)) as ending:
            async for step in ending:
                yield step


async def _end(
    speech: Speech, faulty: GuardedStream, *before: GuardHit
) -> AsyncGenerator[Delta | Guarded]:
    """End a reply behind its whole sentences; or break it off, with a fallback line."""
    said, action, rest = faulty.shown, GuardAction.CUT, ""
    if speech.in_form:
        action = GuardAction.WITHHELD
    elif not ends_whole(said):
        action = GuardAction.FELL_BACK
        rest = f"{BROKEN_OFF} {speech.fallback}" if said else speech.fallback
    if rest:
        yield Delta(rest)
    text, prompt_tokens = said + rest, len(speech.request.prompt_ids)
    reply = without_model(text, speech.tokenizer, prompt_tokens, _since_ms(speech.begun))
    hit = GuardHit(str(faulty.fault), action)
    yield Guarded(reply, (*before, hit), in_one_piece=False)


def again(request: Request, said: str, tokenizer: Tokenizer) -> Request:
    """The request for the second try at a reply of which `said` was sent."""
    sampling, ids = request.sampling, tuple(tokenizer.encode(said)) if said else ()
    sentences = sampling.max_sentences and max(1, sampling.max_sentences - len(sentence_ends(said)))
    drawn = replace(
        sampling,
        seed=(sampling.seed + RETRY_STEP) % SEEDS,
        max_tokens=max(1, sampling.max_tokens - len(ids)),
        min_tokens=max(0, sampling.min_tokens - len(ids)),
        max_sentences=sentences,
    )
    return replace(
        request,
        request_id=f"{request.request_id}-again",
        prompt_ids=(*request.prompt_ids, *ids),
        sampling=drawn,
        thought=None if said else request.thought,
    )


def _second_try(
    speech: Speech, request: Request, drawn: Finish, text: str, faulty: GuardedStream
) -> Guarded:
    asked = len(speech.request.prompt_ids)
    said = request.prompt_ids[asked:]
    reply = replace(
        drawn,
        text=text,
        token_ids=(*said, *drawn.token_ids),
        prompt_tokens=asked,
        total_ms=_since_ms(speech.begun),
    )
    hits = (GuardHit(str(faulty.fault), GuardAction.RETRIED),)
    return Guarded(reply, hits, request.sampling.seed, in_one_piece=not said)


def without_model(text: str, tokenizer: Tokenizer, prompt_tokens: int, ms: float) -> Finish:
    """The end of a reply that no model drew as it stands; `ms` since the turn began."""
    return Finish(
        text=text,
        token_ids=tuple(tokenizer.encode(text)) if text else (),
        reason=FinishReason.STOP,
        logprob=0.0,
        token_logprobs=(),
        prompt_tokens=prompt_tokens,
        cached_tokens=0,
        queue_ms=0.0,
        ttft_ms=ms,
        total_ms=ms,
    )


def _since_ms(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3
