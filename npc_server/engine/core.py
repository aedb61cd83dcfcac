"""The engine's loop body: admit, step, cancel. One thread owns an instance and the model in it.

A turn waits until a sequence is free, prefills in chunks, then yields a token a step until it ends.
Ends of every kind (stop, length, cancel, failure) release the sequence in the same step.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from npc_server.engine.errors import (
    DecodeError,
    EngineBusyError,
    EngineError,
    RequestRejectedError,
)
from npc_server.engine.kv import KvBook
from npc_server.engine.llama import Llama, Row
from npc_server.engine.lora_gguf import BaseShape
from npc_server.engine.mux import AdapterMux
from npc_server.engine.protocol import (
    Delta,
    Finish,
    FinishReason,
    ModelInfo,
    Request,
    Stats,
)
from npc_server.engine.sampling import Sampler, token_logprob
from npc_server.engine.scheduler import Limits, Rotation, Step, TurnView, plan
from npc_server.engine.text_stream import TextStream

Event = Delta | Finish | EngineError
Emit = Callable[[str, Event], None]  # (request id, what happened)


@dataclass
class _Turn:
    request: Request
    arrived_s: float
    stream: TextStream
    sequence: int = -1
    position: int = 0  # tokens of this sequence in the KV cache
    pending: list[int] = field(default_factory=list)  # to be computed next
    token_ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    cached_tokens: int = 0
    started_s: float = 0.0
    first_token_s: float = 0.0
    sampler: Sampler | None = None

    @property
    def prefilling(self) -> bool:
        return not self.token_ids

    @property
    def view(self) -> TurnView:
        pending = len(self.pending) if self.prefilling else 0
        return TurnView(self.sequence, self.request.adapter, pending)


class EngineCore:
    """Turns on one model. `emit` is called for every delta, finish and failure, in order."""

    def __init__(self, llama: Llama, emit: Emit, *, max_waiting: int = 256) -> None:
        self._llama = llama
        self._emit = emit
        self._max_waiting = max_waiting
        self._limits = Limits(chunk_tokens=min(256, llama.shape.batch_tokens))
        self._rotation = Rotation()
        self._mux = AdapterMux(llama, base_shape(llama))
        self._kv = KvBook(llama.shape.sequences)
        self._waiting: deque[_Turn] = deque()
        self._running: dict[int, _Turn] = {}  # by sequence, in order of admission
        self._unloading: set[str] = set()
        self._steps = self._prompt_tokens = self._cached_tokens = self._generated_tokens = 0

    @property
    def busy(self) -> bool:
        """Whether a step would compute anything."""
        return bool(self._running or self._waiting)

    @property
    def info(self) -> ModelInfo:
        """What is served."""
        shape = self._llama.shape
        return ModelInfo(
            self._llama.architecture, self._llama.description, shape.context_tokens, shape.sequences
        )

    def submit(self, request: Request) -> None:
        """Queue a request. Raises RequestRejectedError, UnknownAdapterError, EngineBusyError."""
        check_request(request, self._llama.shape.context_tokens, self._llama.vocab_size)
        self._mux.require(request.adapter)
        if len(self._waiting) >= self._max_waiting:
            raise EngineBusyError(f"{len(self._waiting)} turns are waiting; try again in a moment")
        stream = TextStream(request.sampling.stop)
        self._waiting.append(_Turn(request, time.perf_counter(), stream))

    def cancel(self, request_id: str) -> None:
        """End a request now, if it still runs; what it said so far comes with its finish."""
        for turn in [*self._waiting, *self._running.values()]:
            if turn.request.request_id == request_id:
                self._finish(turn, FinishReason.CANCELLED)
                return

    def load_adapter(self, content_hash: str, folder: Path) -> None:
        """Make an adapter usable. Raises AdapterRejectedError."""
        self._unloading.discard(content_hash)
        self._mux.ensure_loaded(content_hash, folder)

    def unload_adapter(self, content_hash: str) -> None:
        """Forget an adapter as soon as no turn needs it."""
        self._unloading.add(content_hash)
        self._unload_unused()

    def stats(self) -> Stats:
        """A snapshot of state and counters."""
        return Stats(
            running=len(self._running),
            waiting=len(self._waiting),
            sequences_free=self._kv.free,
            adapters=self._mux.resident,
            steps=self._steps,
            adapter_switches=self._mux.switches,
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            generated_tokens=self._generated_tokens,
        )

    def step(self) -> None:
        """Admit what fits and compute one batch; a failed batch ends the turns in it."""
        self._admit()
        if not self._running:
            return
        views = [turn.view for turn in self._running.values()]
        step, self._rotation = plan(views, self._rotation, self._limits)
        turns = self._turns_of(step)
        try:
            self._compute(step, turns)
        except EngineError as error:
            for turn in turns:
                self._fail(turn, error)
        self._steps += 1

    def _turns_of(self, step: Step) -> list[_Turn]:
        if step.prefill_sequence is not None:
            return [self._running[step.prefill_sequence]]
        return [self._running[sequence] for sequence in step.decode_sequences]

    def _admit(self) -> None:
        while self._waiting:
            request = self._waiting[0].request
            placement = self._kv.acquire(request.adapter, request.prompt_ids)
            if placement is None:
                return
            turn = self._waiting.popleft()
            if placement.source == placement.sequence:
                self._llama.trim(placement.sequence, placement.kept_tokens)
            else:
                self._llama.fork(placement.source, placement.sequence, placement.kept_tokens)
            self._start(turn, placement.sequence, placement.kept_tokens)

    def _start(self, turn: _Turn, sequence: int, kept_tokens: int) -> None:
        turn.sequence, turn.position, turn.cached_tokens = sequence, kept_tokens, kept_tokens
        turn.pending = list(turn.request.prompt_ids[kept_tokens:])
        turn.started_s = time.perf_counter()
        turn.sampler = Sampler(self._llama, turn.request.sampling)
        self._running[sequence] = turn
        self._prompt_tokens += len(turn.request.prompt_ids)
        self._cached_tokens += kept_tokens

    def _compute(self, step: Step, turns: Sequence[_Turn]) -> None:
        self._mux.activate(step.adapter)
        count = step.prefill_tokens or 1
        rows = [row for turn in turns for row in _rows(turn, count)]
        self._llama.decode(rows)
        last_rows = [i for i, row in enumerate(rows) if row.wants_logits]
        for turn in turns:
            self._kv.extend(turn.sequence, turn.pending[:count])
            turn.position += len(turn.pending[:count])
            del turn.pending[:count]
        for turn, row in zip(turns, last_rows, strict=False):
            self._advance(turn, row)

    def _advance(self, turn: _Turn, row: int) -> None:
        assert turn.sampler is not None
        token = turn.sampler.sample(row)
        if turn.prefilling:
            turn.first_token_s = time.perf_counter()
        if self._llama.is_end(token):
            self._finish(turn, FinishReason.STOP)
            return
        turn.logprob += token_logprob(self._llama.logits(row), token)
        turn.token_ids.append(token)
        turn.pending = [token]
        self._generated_tokens += 1
        self._say(turn, turn.stream.push(self._llama.token_bytes(token)))
        if turn.stream.stopped:
            self._finish(turn, FinishReason.STOP)
        elif len(turn.token_ids) >= self._room(turn.request):
            self._finish(turn, FinishReason.LENGTH)

    def _room(self, request: Request) -> int:
        left = self._llama.shape.context_tokens - len(request.prompt_ids)
        return min(request.sampling.max_tokens, left)

    def _say(self, turn: _Turn, text: str) -> None:
        if text:
            self._emit(turn.request.request_id, Delta(text))

    def _finish(self, turn: _Turn, reason: FinishReason) -> None:
        self._say(turn, turn.stream.finish())
        self._emit(turn.request.request_id, _finish_of(turn, reason))
        self._leave(turn)
        self._unload_unused()

    def _fail(self, turn: _Turn, error: EngineError) -> None:
        failure = DecodeError(str(error))
        self._emit(turn.request.request_id, failure)
        self._leave(turn, trusted=False)

    def _leave(self, turn: _Turn, *, trusted: bool = True) -> None:
        if turn.sequence < 0:
            self._waiting.remove(turn)
            return
        del self._running[turn.sequence]
        if turn.sampler is not None:
            turn.sampler.close()
        if trusted:
            self._kv.release(turn.sequence)
        else:
            self._kv.discard(turn.sequence)

    def _unload_unused(self) -> None:
        turns = [*self._waiting, *self._running.values()]
        needed = {turn.request.adapter for turn in turns}
        for content_hash in self._unloading - needed:
            self._kv.forget_adapter(content_hash)
            self._mux.unload(content_hash)
            self._unloading.discard(content_hash)


def base_shape(llama: Llama) -> BaseShape:
    """What adapters must fit."""
    return BaseShape(llama.architecture, llama.heads, llama.kv_heads)


def check_request(request: Request, context_tokens: int, vocab_size: int) -> None:
    """Raise RequestRejectedError for a request that could never run."""
    length = len(request.prompt_ids)
    if length == 0:
        raise RequestRejectedError("the prompt is empty")
    if length >= context_tokens:
        raise RequestRejectedError(
            f"the prompt has {length} tokens; at most {context_tokens - 1} fit with a reply"
        )
    if request.sampling.max_tokens < 1:
        raise RequestRejectedError(f"max_tokens is {request.sampling.max_tokens}; at least 1")
    if not all(0 <= token < vocab_size for token in request.prompt_ids):
        raise RequestRejectedError(f"the prompt holds token ids outside 0..{vocab_size - 1}")


def _rows(turn: _Turn, count: int) -> list[Row]:
    tokens = turn.pending[:count]
    final = len(tokens) == len(turn.pending)  # the reply continues after the last pending token
    return [
        Row(token, turn.position + i, turn.sequence, final and i == len(tokens) - 1)
        for i, token in enumerate(tokens)
    ]


def _finish_of(turn: _Turn, reason: FinishReason) -> Finish:
    now = time.perf_counter()
    started = turn.started_s or now
    return Finish(
        text=turn.stream.text,
        token_ids=tuple(turn.token_ids),
        reason=reason,
        logprob=turn.logprob,
        prompt_tokens=len(turn.request.prompt_ids),
        cached_tokens=turn.cached_tokens,
        queue_ms=(started - turn.arrived_s) * 1e3,
        ttft_ms=((turn.first_token_s or now) - turn.arrived_s) * 1e3,
        total_ms=(now - turn.arrived_s) * 1e3,
    )
