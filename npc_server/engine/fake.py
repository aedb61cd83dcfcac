"""A scripted engine, for tests of everything above it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from npc_server.engine.errors import AdapterRejectedError, EngineDiedError, UnknownAdapterError
from npc_server.engine.measures import MILLISECONDS, PER_SECOND, SMALL_COUNTS, Tally
from npc_server.engine.protocol import (
    Batching,
    Delta,
    Finish,
    FinishReason,
    Histogram,
    ModelInfo,
    Request,
    Stats,
)
from npc_server.engine.text_stream import TextStream

Script = Callable[[Request], str]
Halt = Callable[[Request], Awaitable[None]]
Judge = Callable[[Request], Sequence[float]]

SEQUENCES = 8
CONTEXT_TOKENS = 1024
TTFT_MS = 1.0
TOTAL_MS = 2.0


class FakeEngine:
    """An `Engine` without a model.

    `script` makes the reply of a request, or raises what the engine is to raise; so do `judge` the
    log-probabilities for one with choices, and `taste` for one that nothing goes on from. While
    `gate` is cleared, replies halt after their first word, so that a test can act in the middle of
    one; while `entrance` is cleared, they halt before it, as when all sequences are taken.
    `idle_gate` is the gate of what is read ahead, `before_judging` that of a request with choices.
    `die` ends it as a crash would; while `startable` is cleared, `start` waits.
    """

    def __init__(
        self,
        script: Script = lambda request: f"reply {request.sampling.seed}",
        context_tokens: int = CONTEXT_TOKENS,
    ) -> None:
        self._script = script
        self._context_tokens = context_tokens
        self.judge: Judge = lambda request: (0.0,) * len(request.choices)
        self.before_judging: Halt = _go_on
        self.taste: Judge = self.judge
        self.requests: list[Request] = []
        self.passing: list[Request] = []  # those from which nothing goes on
        self.finished: list[Finish] = []
        self.adapters: dict[str, Path] = {}
        self.running = 0
        self.starts = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.idle_gate = asyncio.Event()
        self.idle_gate.set()
        self.entrance = asyncio.Event()
        self.entrance.set()
        self.startable = asyncio.Event()
        self.startable.set()
        self.died = asyncio.Event()

    @property
    def info(self) -> ModelInfo:
        """A small model that does not exist."""
        return ModelInfo("fake", "scripted replies", self._context_tokens, SEQUENCES)

    async def start(self) -> None:
        """Load nothing; a dead engine serves again, with no adapter."""
        await self.startable.wait()
        self.starts += 1
        self.died.clear()

    def die(self) -> None:
        """Lose every running reply and every adapter, as a killed process does."""
        self.adapters.clear()
        self.died.set()

    async def generate(self, request: Request) -> AsyncGenerator[Delta | Finish]:
        """Stream the scripted reply word by word."""
        self._require_alive()
        if request.adapter and request.adapter not in self.adapters:
            raise UnknownAdapterError(f"adapter {request.adapter[:12]} is not loaded")
        (self.passing if request.passing else self.requests).append(request)
        self.running += 1
        try:
            if request.choices:
                await self.before_judging(request)
                judge = self.taste if request.passing else self.judge
                yield replace(finish_of(request, ""), choices=tuple(judge(request)))
                return
            await self._pass(self.entrance)
            text, stream = self._script(request), TextStream()
            for i, word in enumerate(text.split(" ")):
                if shown := stream.push((word if i == 0 else f" {word}").encode()):
                    yield Delta(shown)
                await self._pass(self.idle_gate if request.idle else self.gate)
            if shown := stream.finish():
                yield Delta(shown)
            self.finished.append(replace(finish_of(request, text), text=stream.text))
            yield self.finished[-1]
        finally:
            self.running -= 1

    async def load_adapter(self, content_hash: str, folder: Path) -> None:
        """Remember the folder; it must hold an adapter file, as a real one must."""
        self._require_alive()
        if not (folder / "adapter_model.safetensors").is_file():
            raise AdapterRejectedError(f"{folder} holds no adapter")
        self.adapters[content_hash] = folder

    async def unload_adapter(self, content_hash: str) -> None:
        """Forget the adapter."""
        self._require_alive()
        self.adapters.pop(content_hash, None)

    async def stats(self) -> Stats:
        """Counters that a script can have: one step and one token per word."""
        self._require_alive()
        return _stats(self)

    async def close(self) -> None:
        """Set `died`; there is nothing to end."""
        self.died.set()

    def _require_alive(self) -> None:
        if self.died.is_set():
            raise EngineDiedError("the scripted engine died")

    async def _pass(self, gate: asyncio.Event) -> None:
        """Wait at a gate; a death loses the replies that wait, even if the engine restarts."""
        if gate.is_set():
            self._require_alive()
            return
        opened, died = (asyncio.ensure_future(event.wait()) for event in (gate, self.died))
        try:
            await asyncio.wait((opened, died), return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                raise EngineDiedError("the scripted engine died")
        finally:
            opened.cancel()
            died.cancel()


async def _go_on(_: Request) -> None:
    pass


def finish_of(request: Request, text: str) -> Finish:
    """The end of a scripted reply: one token per word, each as likely as the next."""
    tokens = tuple(range(len(text.split())))
    return Finish(
        text=text,
        token_ids=tokens,
        reason=FinishReason.STOP,
        logprob=-float(len(tokens)),
        token_logprobs=(-1.0,) * len(tokens) if request.sampling.logprobs else (),
        prompt_tokens=len(request.prompt_ids),
        cached_tokens=0,
        queue_ms=0.0,
        ttft_ms=TTFT_MS,
        total_ms=TOTAL_MS,
    )


def _stats(engine: FakeEngine) -> Stats:
    replies = engine.finished
    tokens = sum(len(reply.token_ids) for reply in replies)
    return Stats(
        batching=Batching.MIXED,
        batching_reason="",
        running=engine.running,
        waiting=0,
        sequences=SEQUENCES,
        adapters=tuple(engine.adapters),
        adapter_bytes=0,
        cache_entries=0,
        cache_bytes=0,
        steps=tokens,
        slot_hits=0,
        slot_loads=len(engine.adapters),
        kv_moves=0,
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        cached_tokens=0,
        generated_tokens=tokens,
        turns=len(replies),
        rejected=0,
        step_ms=_histogram(MILLISECONDS, [TOTAL_MS] * tokens),
        adapters_per_step=_histogram(SMALL_COUNTS, [1.0] * tokens),
        queue_ms=_histogram(MILLISECONDS, [reply.queue_ms for reply in replies]),
        ttft_ms=_histogram(MILLISECONDS, [reply.ttft_ms for reply in replies]),
        tokens_per_s=_histogram(PER_SECOND, [100.0 for _ in replies]),
        adapter_load_ms=_histogram(MILLISECONDS, []),
    )


def _histogram(bounds: Sequence[float], values: Sequence[float]) -> Histogram:
    tally = Tally(bounds)
    for value in values:
        tally.observe(value)
    return tally.histogram
