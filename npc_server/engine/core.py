"""The engine's loop body: admit, step, cancel. One thread owns an instance and the model in it.

A turn waits until a sequence is free, takes over what is known of its prompt, reads the rest in
chunks, then yields a token a step until it ends. Ends of every kind (stop, length, cancel,
failure) free the sequence in the same step. Running turns occupy neighbouring sequences from 0 on,
since only neighbours can share a decode: a turn that ends in the middle makes way for a waiting
one, or the last running one is moved there. A request for a contrast is a turn that ends where its
first token would be drawn.
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
from npc_server.engine.kv import MIN_SHARED_TOKENS, PrefixCache, common_prefix
from npc_server.engine.llama import BatchRow, Llama
from npc_server.engine.lora.adapter_cache import AdapterCache
from npc_server.engine.lora.mux import AdapterMux
from npc_server.engine.lora.slots import PackedLora
from npc_server.engine.lora.voice import Voice
from npc_server.engine.measures import MILLISECONDS, PER_SECOND, SMALL_COUNTS, Tally
from npc_server.engine.protocol import (
    Batching,
    Delta,
    EngineOptions,
    Finish,
    FinishReason,
    ModelInfo,
    Request,
    Sampling,
    Stats,
)
from npc_server.engine.sampling import Logits, Sampler, check_sampling, token_logprob
from npc_server.engine.scheduler import (
    Chunk,
    Limits,
    Rotation,
    TurnView,
    plan_grouped,
    plan_mixed,
)
from npc_server.engine.text_stream import TextStream

Event = Delta | Finish | EngineError
Emit = Callable[[str, Event], None]  # (request id, what happened)

_MOST_SCALE = 4.0
_MIB = 1 << 20


@dataclass(eq=False)
class _Turn:
    request: Request
    arrived_s: float
    stream: TextStream
    sequence: int = -1
    read: list[int] = field(default_factory=list)  # tokens in the KV cache
    pending: list[int] = field(default_factory=list)  # to be computed next
    save_at: set[int] = field(default_factory=set)  # lengths at which others want a copy
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    contrast: float | None = None
    cached_tokens: int = 0
    started_s: float = 0.0
    first_token_s: float = 0.0
    sampler: Sampler | None = None

    @property
    def voice(self) -> Voice:
        return Voice(self.request.adapter, self.request.adapter_scale)

    def view(self, context_tokens: int) -> TurnView:
        ahead = [length - len(self.read) for length in self.save_at if length > len(self.read)]
        return TurnView(
            self.sequence,
            self.voice,
            unread_tokens=0 if self.token_ids else len(self.pending),
            until_save=min(ahead, default=0),
            room_tokens=context_tokens - len(self.read),
            background=self.request.background,
        )


@dataclass
class _Residue:
    """What a free sequence still holds."""

    voice: Voice = field(default_factory=Voice)
    tokens: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class CheckedAdapter:
    """An adapter as read from its folder; `lora` is None if it was known before."""

    content_hash: str
    folder: Path
    lora: PackedLora | None


class EngineCore:
    """Turns on one model. `emit` is called for every delta, finish and failure, in order."""

    def __init__(
        self,
        llama: Llama,
        mux: AdapterMux,
        adapters: AdapterCache,
        emit: Emit,
        options: EngineOptions,
        batching_reason: str = "",
    ) -> None:
        self._llama = llama
        self._mux = mux
        self._adapters = adapters
        self._emit = emit
        self._options = options
        self._batching_reason = batching_reason
        batch_tokens = llama.shape.batch_tokens
        self._limits = Limits(
            batch_tokens,
            min(options.prefill_chunk_tokens, batch_tokens),
            pad_chunks=llama.can_cut,
        )
        self._plan = plan_mixed if mux.batching is Batching.MIXED else plan_grouped
        self._rotation = Rotation()
        self._prefixes = PrefixCache(options.cache_mib * _MIB, can_cut=llama.can_cut)
        self._waiting: deque[_Turn] = deque()
        self._seats: list[_Turn | None] = [None] * llama.shape.sequences
        self._residue = [_Residue() for _ in self._seats]
        self._unloading: set[str] = set()
        self._counts = _Counts()

    @property
    def busy(self) -> bool:
        """Whether a step would compute anything."""
        return bool(self._waiting or self._running)

    @property
    def gathering(self) -> bool:
        """Whether turns wait, none has begun, and there is room for more of them."""
        return not self._running and 0 < len(self._waiting) < len(self._seats)

    @property
    def _running(self) -> list[_Turn]:
        """Running turns by sequence."""
        return [turn for turn in self._seats if turn is not None]

    def info(self) -> ModelInfo:
        """What is served."""
        shape = self._llama.shape
        return ModelInfo(
            self._llama.architecture, self._llama.description, shape.context_tokens, shape.sequences
        )

    def submit(self, request: Request) -> None:
        """Queue a request. Raises RequestRejectedError, UnknownAdapterError, EngineBusyError."""
        check_request(request, self._llama.shape.context_tokens, self._llama.vocab_size)
        check_sampling(self._llama, request.sampling)
        self._adapters.require(request.adapter)
        if len(self._waiting) >= self._options.max_waiting:
            self._counts.rejected += 1
            raise EngineBusyError(
                f"{len(self._waiting)} turns are waiting; try again in a moment", self._clears_in_s
            )
        stream = TextStream(request.sampling.stop)
        self._waiting.append(_Turn(request, time.perf_counter(), stream))

    @property
    def _clears_in_s(self) -> float:
        """A guess at when a place in the queue is free: turns leave at the pace of late."""
        return max(0.1, self._counts.seconds_per_turn / len(self._seats))

    def cancel(self, request_id: str) -> None:
        """End a request now, if it still runs; what it said so far comes with its finish."""
        for turn in [*self._waiting, *self._running]:
            if turn.request.request_id == request_id:
                self._finish(turn, FinishReason.CANCELLED)
                return

    def read_adapter(self, content_hash: str, folder: Path) -> CheckedAdapter:
        """Do the slow part of loading, on any thread. Raises AdapterRejectedError."""
        if self._adapters.knows(content_hash):
            return CheckedAdapter(content_hash, folder, None)
        started_s = time.perf_counter()
        lora = self._adapters.read(folder)
        self._counts.adapter_load_ms.observe((time.perf_counter() - started_s) * 1e3)
        return CheckedAdapter(content_hash, folder, lora)

    def keep_adapter(self, adapter: CheckedAdapter) -> None:
        """Do the quick part of loading: make the adapter usable."""
        self._unloading.discard(adapter.content_hash)
        if adapter.lora is not None:
            self._adapters.keep(adapter.content_hash, adapter.folder, adapter.lora)
        else:  # known when it was looked up, perhaps unloaded since
            self._adapters.ensure(adapter.content_hash, adapter.folder)

    def unload_adapter(self, content_hash: str) -> None:
        """Forget an adapter as soon as no turn needs it."""
        self._unloading.add(content_hash)
        self._unload_unused()

    def stats(self) -> Stats:
        """A snapshot of state and counters."""
        counts = self._counts
        return Stats(
            batching=self._mux.batching,
            batching_reason=self._batching_reason,
            running=len(self._running),
            waiting=len(self._waiting),
            sequences=len(self._seats),
            adapters=self._adapters.resident,
            adapter_bytes=self._adapters.bytes,
            cache_entries=len(self._prefixes),
            cache_bytes=self._prefixes.bytes,
            steps=counts.steps,
            slot_hits=counts.slot_hits,
            slot_loads=counts.slot_loads,
            kv_moves=counts.kv_moves,
            prompt_tokens=counts.prompt_tokens,
            cached_tokens=counts.cached_tokens,
            generated_tokens=counts.generated_tokens,
            turns=counts.turns,
            rejected=counts.rejected,
            step_ms=counts.step_ms.histogram,
            adapters_per_step=counts.adapters_per_step.histogram,
            queue_ms=counts.queue_ms.histogram,
            ttft_ms=counts.ttft_ms.histogram,
            tokens_per_s=counts.tokens_per_s.histogram,
            adapter_load_ms=counts.adapter_load_ms.histogram,
        )

    def close(self) -> None:
        """Free the model; the core is of no use afterwards."""
        self._llama.close()

    def step(self) -> None:
        """Admit what fits and compute one step; a failed decode ends the turns in it."""
        started_s = time.perf_counter()
        self._admit()
        self._close_gaps()
        if not self._running:
            return
        in_order = sorted(self._running, key=lambda turn: turn.started_s)
        views = [turn.view(self._llama.shape.context_tokens) for turn in in_order]
        step, self._rotation = self._plan(views, self._rotation, self._limits)
        if step.chunk is not None:
            self._read(step.chunk)
        else:
            self._speak([turn for turn in self._running if turn.sequence in step.decode])
        self._counts.steps += 1
        self._counts.step_ms.observe((time.perf_counter() - started_s) * 1e3)

    # Taking up turns

    def _admit(self) -> None:
        """Seat waiting turns in the order they came, except those worth holding back."""
        for turn in list(self._waiting):
            if None not in self._seats:
                return
            if self._read_by_another(turn):
                continue
            self._waiting.remove(turn)
            turn.sequence = self._seats.index(None)
            self._seats[turn.sequence] = turn
            try:
                self._start(turn)
            except EngineError as error:
                self._fail(turn, error)

    def _read_by_another(self, turn: _Turn) -> bool:
        """Whether a running turn is about to have computed a good part of this one's prompt.

        Takes of one prompt, and players who walk up to one character together, then pay for the
        common part once. The wait is bounded by the other's reading; what it has read is saved.
        """
        prompt = list(turn.request.prompt_ids[:-1])
        _, cached = self._prefixes.longest(turn.voice, turn.request.prompt_ids)
        for other in self._running:
            if other.voice != turn.voice:
                continue
            shared = common_prefix(list(other.request.prompt_ids[:-1]), prompt)
            if shared < cached + MIN_SHARED_TOKENS:
                continue
            if shared > len(other.read):
                other.save_at.add(shared)
                return True
            if self._llama.can_cut:
                self._save(other)
                return False
        return False

    def _start(self, turn: _Turn) -> None:
        turn.started_s = time.perf_counter()
        hit = self._mux.assign(turn.sequence, turn.voice)
        kept = self._take_over(turn)
        prompt = list(turn.request.prompt_ids)
        turn.read, turn.pending, turn.cached_tokens = prompt[:kept], prompt[kept:], kept
        pinned = turn.request.pinned_tokens
        if pinned >= MIN_SHARED_TOKENS and not self._prefixes.covers(turn.voice, prompt[:pinned]):
            turn.save_at.add(pinned)
        turn.sampler = Sampler(self._llama, turn.request.sampling)
        counts = self._counts
        counts.slot_hits += hit
        counts.slot_loads += not hit
        counts.prompt_tokens += len(prompt)
        counts.cached_tokens += kept
        counts.queue_ms.observe((turn.started_s - turn.arrived_s) * 1e3)

    def _take_over(self, turn: _Turn) -> int:
        """Fill the turn's sequence with what is known of its prompt; returns how many tokens."""
        prompt, sequence = list(turn.request.prompt_ids), turn.sequence
        residue = self._residue[sequence]
        same = residue.voice == turn.voice
        here = self._prefixes.shared(residue.tokens, prompt[:-1]) if same else 0
        prefix, shared = self._prefixes.longest(turn.voice, prompt)
        self._residue[sequence] = _Residue()
        if prefix is not None and shared > here:
            self._llama.restore(sequence, prefix.blob)
            here = shared
        if here >= MIN_SHARED_TOKENS and self._llama.trim(sequence, here):
            return here
        self._llama.clear(sequence)
        return 0

    def _close_gaps(self) -> None:
        """Move the last running turns into the free sequences among the running ones."""
        while self._mux.batching is Batching.MIXED:
            running = self._running
            gap = next((i for i, turn in enumerate(self._seats) if turn is None), len(self._seats))
            if gap >= len(running):
                return
            self._move(running[-1], gap)

    def _move(self, turn: _Turn, target: int) -> None:
        source = turn.sequence
        self._llama.restore(target, self._llama.save(source))
        self._mux.move(source, target)
        self._seats[source], self._seats[target] = None, turn
        self._residue[source], self._residue[target] = _Residue(), _Residue()
        turn.sequence = target
        self._counts.kv_moves += 1

    # Computing

    def _read(self, chunk: Chunk) -> None:
        """Compute prompt tokens; shorter shares of a common chunk are padded and trimmed again."""
        turns = [self._seated(sequence) for sequence in chunk.sequences]
        shares = list(zip(turns, chunk.counts, strict=True))
        width = chunk.width
        # Logits of all or of none: mixing knows rows by their number.
        ends = any(count == len(turn.pending) for turn, count in shares)
        rows = [row for turn, count in shares for row in _reading_rows(turn, count, width, ends)]
        if not self._decode(turns, rows, width):
            return
        for place, (turn, count) in enumerate(shares):
            _advance(turn, count)
            if count < width and not self._llama.trim(turn.sequence, len(turn.read)):
                self._fail(turn, DecodeError("this model cannot forget padding"), trusted=False)
                continue
            self._save_if_wanted(turn)
            if not turn.pending:
                self._draw(turn, place * width + count - 1)

    def _speak(self, turns: Sequence[_Turn]) -> None:
        """One token for every turn: the next of its prompt, or a new one of its reply."""
        rows = [BatchRow(turn.pending[0], len(turn.read), turn.sequence, True) for turn in turns]
        if not self._decode(turns, rows, 1):
            return
        for row, turn in enumerate(turns):
            _advance(turn, 1)
            self._save_if_wanted(turn)
            if not turn.pending:
                self._draw(turn, row)

    def _decode(self, turns: Sequence[_Turn], rows: Sequence[BatchRow], tokens: int) -> bool:
        self._counts.adapters_per_step.observe(len({turn.voice for turn in turns}))
        try:
            self._mux.route([turn.sequence for turn in turns], tokens)
            self._llama.decode(rows)
            self._mux.check()
        except EngineError as error:
            for turn in turns:
                self._fail(turn, error, trusted=False)
            return False
        return True

    def _draw(self, turn: _Turn, row: int) -> None:
        """Sample the token that follows this row, and say it; or compare two that could."""
        assert turn.sampler is not None
        if turn.request.contrast is not None:
            turn.contrast = _difference(self._llama.logits(row), turn.request.contrast)
            self._finish(turn, FinishReason.STOP)
            return
        try:
            token = turn.sampler.sample(row)
        except EngineError as error:  # this turn's grammar, say; the others go on
            self._fail(turn, error)
            return
        if not turn.token_ids:
            turn.first_token_s = time.perf_counter()
            self._counts.ttft_ms.observe((turn.first_token_s - turn.arrived_s) * 1e3)
        if self._llama.is_end(token):
            self._finish(turn, FinishReason.STOP)
            return
        turn.logprobs.append(token_logprob(self._llama.logits(row), token))
        turn.token_ids.append(token)
        turn.pending = [token]
        self._counts.generated_tokens += 1
        self._say(turn, turn.stream.push(self._llama.token_bytes(token)))
        if turn.stream.stopped:
            self._finish(turn, FinishReason.STOP)
        elif len(turn.token_ids) >= self._room(turn.request):
            self._finish(turn, FinishReason.LENGTH)

    def _room(self, request: Request) -> int:
        left = self._llama.shape.context_tokens - len(request.prompt_ids)
        return min(request.sampling.max_tokens, left)

    def _seated(self, sequence: int) -> _Turn:
        turn = self._seats[sequence]
        assert turn is not None
        return turn

    # Keeping what was computed

    def _save_if_wanted(self, turn: _Turn) -> None:
        length = len(turn.read)
        if length in turn.save_at:
            turn.save_at.discard(length)
            self._save(turn, pinned=length == turn.request.pinned_tokens)

    def _save(self, turn: _Turn, *, pinned: bool = False) -> None:
        blob = self._llama.save(turn.sequence)
        self._prefixes.store(turn.voice, turn.read, blob, pinned=pinned)

    # Ending turns

    def _say(self, turn: _Turn, text: str) -> None:
        if text:
            self._emit(turn.request.request_id, Delta(text))

    def _finish(self, turn: _Turn, reason: FinishReason) -> None:
        self._say(turn, turn.stream.finish())
        finish = _finish_of(turn, reason)
        self._emit(turn.request.request_id, finish)
        self._counts.finished(turn)
        self._leave(turn)
        self._unload_unused()

    def _fail(self, turn: _Turn, error: EngineError, *, trusted: bool = True) -> None:
        self._emit(turn.request.request_id, error)
        self._leave(turn, trusted=trusted)

    def _leave(self, turn: _Turn, *, trusted: bool = True) -> None:
        if turn.sequence < 0:
            self._waiting.remove(turn)
            return
        if turn.sampler is not None:
            turn.sampler.close()
        known = trusted and len(turn.read) >= MIN_SHARED_TOKENS
        if known and not self._prefixes.covers(turn.voice, turn.read):
            self._save(turn)
        self._seats[turn.sequence] = None
        kept = _Residue(turn.voice, turn.read) if trusted else _Residue()
        self._residue[turn.sequence] = kept
        turn.sequence = -1

    def _unload_unused(self) -> None:
        needed = {turn.request.adapter for turn in [*self._waiting, *self._running]}
        for content_hash in self._unloading - needed:
            self._prefixes.forget_adapter(content_hash)
            self._mux.forget(content_hash)
            self._unloading.discard(content_hash)


@dataclass
class _Counts:
    """Totals since start."""

    steps: int = 0
    slot_hits: int = 0
    slot_loads: int = 0
    kv_moves: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    turns: int = 0
    rejected: int = 0
    seconds_per_turn: float = 1.0  # a moving average
    step_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))
    adapters_per_step: Tally = field(default_factory=lambda: Tally(SMALL_COUNTS))
    queue_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))
    ttft_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))
    tokens_per_s: Tally = field(default_factory=lambda: Tally(PER_SECOND))
    adapter_load_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))

    def finished(self, turn: _Turn) -> None:
        """Take a turn that ran to its end, whichever, into account."""
        self.turns += 1
        now = time.perf_counter()
        if turn.started_s:
            self.seconds_per_turn += 0.1 * (now - turn.started_s - self.seconds_per_turn)
        more = len(turn.token_ids) - 1
        if more > 0:
            self.tokens_per_s.observe(more / max(now - turn.first_token_s, 1e-6))


def check_request(request: Request, context_tokens: int, vocab_size: int) -> None:
    """Raise RequestRejectedError for a request that could never run."""
    length = len(request.prompt_ids)
    if length == 0:
        raise RequestRejectedError("the prompt is empty")
    if length >= context_tokens:
        raise RequestRejectedError(
            f"the prompt has {length} tokens; at most {context_tokens - 1} fit with a reply"
        )
    if not all(0 <= token < vocab_size for token in request.prompt_ids):
        raise RequestRejectedError(f"the prompt holds token ids outside 0..{vocab_size - 1}")
    if not 0 <= request.adapter_scale <= _MOST_SCALE:
        raise RequestRejectedError(
            f"adapter_scale is {request.adapter_scale}; it lies in 0..{_MOST_SCALE:g}"
        )
    if request.contrast is not None:
        _check_contrast(request, request.contrast, vocab_size)


def _check_contrast(request: Request, contrast: tuple[int, int], vocab_size: int) -> None:
    if not all(0 <= token < vocab_size for token in contrast):
        raise RequestRejectedError(f"the contrast holds token ids outside 0..{vocab_size - 1}")
    if request.sampling != Sampling():
        raise RequestRejectedError("a contrast draws nothing; leave its sampling as it is")


def _difference(logits: Logits, contrast: tuple[int, int]) -> float:
    first, second = contrast
    return float(logits[first]) - float(logits[second])


def _reading_rows(turn: _Turn, count: int, width: int, logits: bool) -> list[BatchRow]:
    """`width` rows of a prompt, of which `count` are read and the rest is padding."""
    start, last = len(turn.read), len(turn.pending) - 1
    return [
        BatchRow(turn.pending[min(i, last)], start + i, turn.sequence, logits and i == count - 1)
        for i in range(width)
    ]


def _advance(turn: _Turn, count: int) -> None:
    turn.read.extend(turn.pending[:count])
    del turn.pending[:count]


def _finish_of(turn: _Turn, reason: FinishReason) -> Finish:
    now = time.perf_counter()
    started = turn.started_s or now
    return Finish(
        text=turn.stream.text,
        token_ids=tuple(turn.token_ids),
        reason=reason,
        logprob=sum(turn.logprobs),
        token_logprobs=tuple(turn.logprobs) if turn.request.sampling.logprobs else (),
        prompt_tokens=len(turn.request.prompt_ids),
        cached_tokens=turn.cached_tokens,
        queue_ms=(started - turn.arrived_s) * 1e3,
        ttft_ms=((turn.first_token_s or now) - turn.arrived_s) * 1e3,
        total_ms=(now - turn.arrived_s) * 1e3,
        contrast=turn.contrast,
    )
