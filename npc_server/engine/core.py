"""The engine's loop body: admit, step, cancel. One thread owns an instance and the model in it.

A turn waits until a sequence is free, takes over what is known of its prompt, reads the rest in
chunks, then yields one token per step until it ends. Ends of every kind (stop, length, cancel,
failure) free the sequence in the same step. A request that compares choices is a turn that ends
where its first token would be drawn.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from npc_server.engine.counts import Counts
from npc_server.engine.errors import DecodeError, EngineBusyError, EngineError
from npc_server.engine.fairness import Rounds, crowding_party
from npc_server.engine.kv import MIN_SHARED_TOKENS, PrefixCache, common_prefix
from npc_server.engine.llama import BatchRow, Llama
from npc_server.engine.lora.adapter_cache import AdapterCache
from npc_server.engine.lora.mux import AdapterMux
from npc_server.engine.lora.slots import Lora
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
from npc_server.engine.request_checks import check_request, most_prompt_tokens
from npc_server.engine.running_turn import RunningTurn
from npc_server.engine.sampling import Sampler, check_sampling, token_logprob, token_logprobs
from npc_server.engine.scheduler import (
    Chunk,
    Limits,
    Rotation,
    plan_grouped,
    plan_mixed,
)
from npc_server.engine.sentence_end import SentenceEnds
from npc_server.engine.sequences import Sequences
from npc_server.engine.text_stream import TextStream

Event = Delta | Finish | EngineError
Emit = Callable[[str, Event], None]  # (request id, what happened)

_MIB = 1 << 20


@dataclass(frozen=True)
class CheckedAdapter:
    """An adapter as read from its folder; `lora` is None if it was known before."""

    content_hash: str
    folder: Path
    lora: Lora | None


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
        memory: str = "",
    ) -> None:
        self._llama = llama
        self._mux = mux
        self._adapters = adapters
        self._emit = emit
        self._options = options
        self._batching_reason = batching_reason
        self._memory = memory
        batch_tokens = llama.shape.batch_tokens
        self._limits = Limits(
            batch_tokens,
            min(options.prefill_chunk_tokens, batch_tokens),
            pad_chunks=llama.can_cut,
        )
        self._plan = plan_mixed if mux.batching is Batching.MIXED else plan_grouped
        self._rotation = Rotation()
        self._prefixes = PrefixCache(options.cache_mib * _MIB, can_cut=llama.can_cut)
        self._waiting: deque[RunningTurn] = deque()
        self._sequences = Sequences(llama, mux, self._prefixes)
        self._rounds = Rounds()
        self._unloading: set[str] = set()
        self._counts = Counts()

    @property
    def busy(self) -> bool:
        """Whether a step would compute anything."""
        return bool(self._waiting or self._sequences.running)

    @property
    def gathering(self) -> bool:
        """Whether turns wait, none has begun, and there is room for more of them."""
        return not self._sequences.running and 0 < len(self._waiting) < len(self._sequences)

    def info(self) -> ModelInfo:
        """What is served."""
        shape = self._llama.shape
        return ModelInfo(
            self._llama.architecture,
            self._llama.description,
            shape.context_tokens,
            shape.sequences,
            self._memory,
        )

    def prepare(self, sampling: Sampling) -> None:
        """Do the slow part of submitting, reading a grammar or schema, on any thread.

        Raises RequestRejectedError.
        """
        check_sampling(self._llama, sampling)

    def submit(self, request: Request) -> None:
        """Queue a request. Raises RequestRejectedError, UnknownAdapterError, EngineBusyError."""
        check_request(request, self._llama.shape.context_tokens, self._llama.vocab_size)
        check_sampling(self._llama, request.sampling)
        self._adapters.require(request.adapter)
        if self._turns_waiting >= self._options.max_waiting:
            self._make_room(request)
        number = 0 if request.idle else self._next_round(request.party)
        self._waiting.append(RunningTurn(request, time.perf_counter(), _stream_of(request), number))

    def _next_round(self, party: str) -> int:
        own = (turn for turn in self._waiting if turn.request.party == party)
        return self._rounds.next_of(party, [turn.round for turn in own])

    def _make_room(self, request: Request) -> None:
        """Refuse the newest turn of who crowds a full queue, or raise EngineBusyError."""
        waiting = [turn for turn in self._waiting if not turn.request.idle]
        busy = EngineBusyError(
            f"{len(waiting)} turns are waiting; try again in a moment", self._clears_in_s
        )
        self._counts.rejected += 1
        party = crowding_party((turn.request.party for turn in waiting), request.party)
        if party is None:
            raise busy
        self._fail(next(turn for turn in reversed(waiting) if turn.request.party == party), busy)

    @property
    def _turns_waiting(self) -> int:
        return sum(not turn.request.idle for turn in self._waiting)

    @property
    def _clears_in_s(self) -> float:
        """Seconds until a place in the queue is free, assuming turns keep ending at this rate."""
        return max(0.1, self._counts.seconds_per_turn / len(self._sequences))

    def cancel(self, request_id: str) -> None:
        """End a request now, if it still runs; what it said so far comes with its finish."""
        for turn in [*self._waiting, *self._sequences.running]:
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
            running=len(self._sequences.running),
            waiting=self._turns_waiting,
            sequences=len(self._sequences),
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
        self._counts.kv_moves += self._sequences.close_gaps()
        if not self._sequences.running:
            return
        in_order = sorted(self._sequences.running, key=lambda turn: turn.started_s)
        views = [turn.view(self._llama.shape.context_tokens) for turn in in_order]
        step, self._rotation = self._plan(views, self._rotation, self._limits)
        if step.chunk is not None:
            self._read(step.chunk)
        else:
            self._speak([turn for turn in self._sequences.running if turn.sequence in step.decode])
        self._counts.steps += 1
        self._counts.step_ms.observe((time.perf_counter() - started_s) * 1e3)

    # Taking up turns

    def _admit(self) -> None:
        """Start waiting turns by their rounds, except those worth holding back.

        Idle ones come last, one at a time.
        """
        for turn in sorted(self._waiting, key=lambda turn: (turn.request.idle, turn.round)):
            if not self._has_room(turn):
                return
            if self._read_by_another(turn):
                continue
            self._waiting.remove(turn)
            if not turn.request.idle:
                self._rounds.begin(turn.request.party, turn.round)
            self._sequences.claim(turn)
            try:
                self._start(turn)
            except EngineError as error:
                self._fail(turn, error)

    def _has_room(self, turn: RunningTurn) -> bool:
        """Whether a sequence is free; an idle turn that is in the way of another ends.

        What it has read by then is kept, so one that reads what this turn needs is in the way too.
        """
        idle = [other for other in self._sequences.running if other.request.idle]
        if turn.request.idle:
            return not (idle or self._sequences.full)
        for other in idle:
            if self._sequences.full or self._shared_tokens(turn, other):
                self._finish(other, FinishReason.CANCELLED)
        return not self._sequences.full

    def _shared_tokens(self, turn: RunningTurn, other: RunningTurn) -> int:
        """Tokens that two prompts begin with, if that is worth more than what is kept of it."""
        if other.voice != turn.voice:
            return 0
        _, cached = self._prefixes.longest(turn.voice, turn.prompt_ids)
        shared = common_prefix(other.prompt_ids[:-1], turn.prompt_ids[:-1])
        return shared if shared >= cached + MIN_SHARED_TOKENS else 0

    def _read_by_another(self, turn: RunningTurn) -> bool:
        """Whether a running turn is about to have computed a good part of this one's prompt.

        Takes of one prompt, and players who walk up to one character together, then pay for the
        common part once. The wait is bounded by the other's reading; what it has read is saved.
        """
        for other in self._sequences.running:
            shared = self._shared_tokens(turn, other)
            if not shared:
                continue
            if shared > len(other.read):
                other.save_at.add(shared)
                return True
            if self._llama.can_cut:
                self._sequences.save(other)
                return False
        return False

    def _start(self, turn: RunningTurn) -> None:
        turn.started_s = time.perf_counter()
        hit = self._mux.assign(turn.sequence, turn.voice)
        kept = self._sequences.fill(turn)
        prompt = list(turn.prompt_ids)
        turn.thinking = turn.request.thought is not None
        turn.read, turn.pending, turn.cached_tokens = prompt[:kept], prompt[kept:], kept
        pinned = turn.request.pinned_tokens
        if pinned >= MIN_SHARED_TOKENS and not self._prefixes.covers(turn.voice, prompt[:pinned]):
            turn.save_at.add(pinned)
        turn.sampler = self._sampler_of(turn.request)
        self._counts.record_start(turn, slot_hit=hit)

    def _sampler_of(self, request: Request) -> Sampler:
        room = self._llama.shape.context_tokens - most_prompt_tokens(request)
        most_tokens = max(1, min(request.sampling.max_tokens, room))
        sampling = replace(request.sampling, max_tokens=most_tokens)
        return Sampler(self._llama, sampling, request.said, request.sentences, request.speakers)

    # Computing

    def _read(self, chunk: Chunk) -> None:
        """Compute prompt tokens; shorter shares of a common chunk are padded and trimmed again."""
        turns = [self._sequences.turn_in(sequence) for sequence in chunk.sequences]
        shares = list(zip(turns, chunk.counts, strict=True))
        width = chunk.width
        # Logits of all or of none: mixing knows rows by their number.
        ends = any(count == len(turn.pending) for turn, count in shares)
        rows = [
            row for turn, count in shares for row in turn.prompt_rows(count, width, logits=ends)
        ]
        if not self._decode(turns, rows, width):
            return
        for place, (turn, count) in enumerate(shares):
            turn.advance(count)
            if count < width and not self._llama.trim(turn.sequence, len(turn.read)):
                self._fail(turn, DecodeError("this model cannot forget padding"), trusted=False)
                continue
            self._save_if_wanted(turn)
            if not turn.pending:
                self._draw(turn, place * width + count - 1)

    def _speak(self, turns: Sequence[RunningTurn]) -> None:
        """Compute one token of every turn: the next of its prompt, or a new one of its reply."""
        rows = [BatchRow(turn.pending[0], len(turn.read), turn.sequence, True) for turn in turns]
        if not self._decode(turns, rows, 1):
            return
        for row, turn in enumerate(turns):
            turn.advance(1)
            self._save_if_wanted(turn)
            if not turn.pending:
                self._draw(turn, row)

    def _decode(self, turns: Sequence[RunningTurn], rows: Sequence[BatchRow], tokens: int) -> bool:
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

    def _draw(self, turn: RunningTurn, row: int) -> None:
        """Sample the token that follows this row, and say it; or compare some that could."""
        if turn.request.choices:
            logits = self._llama.logits(row)
            turn.choices = token_logprobs(logits, turn.request.choices)
            self._finish(turn, FinishReason.STOP)
            return
        assert turn.sampler is not None
        if turn.thinking:
            self._think(turn, turn.sampler, row)
            return
        try:
            token = turn.sampler.sample(row)
        except EngineError as error:  # this turn's grammar, say; the others go on
            self._fail(turn, error)
            return
        if not turn.token_ids:
            turn.first_token_s = time.perf_counter()
            self._counts.record_first_token(turn)
        if self._llama.is_end(token):
            self._finish(turn, FinishReason.STOP)
        else:
            self._append(turn, token, row)

    def _think(self, turn: RunningTurn, sampler: Sampler, row: int) -> None:
        """Draw a token of the thought; one that ends it, or is the last it may have, closes it."""
        thought = turn.request.thought
        assert thought is not None
        try:
            token = sampler.sample_thought(row, thought.end)
        except EngineError as error:
            self._fail(turn, error)
            return
        spent = len(turn.thought_ids) + len(thought.closing) >= thought.max_tokens
        turn.thinking = not (token == thought.end or self._llama.is_end(token) or spent)
        turn.pending = [token] if turn.thinking else list(thought.closing)
        turn.thought_ids += turn.pending
        self._counts.generated_tokens += 1

    def _append(self, turn: RunningTurn, token: int, row: int) -> None:
        """Add the token drawn for this row to the reply, and end a reply that is complete."""
        turn.logprobs.append(token_logprob(self._llama.logits(row), token))
        begins = not turn.token_ids
        turn.token_ids.append(token)
        turn.pending = [token]
        self._counts.generated_tokens += 1
        self._say(turn, turn.stream.push(self._llama.token_bytes(token, begins=begins)))
        used = len(turn.prompt_ids) + len(turn.thought_ids)
        room = self._llama.shape.context_tokens - used
        if turn.stream.stopped:
            self._finish(turn, FinishReason.STOP)
        elif turn.stream.complete:
            self._finish(turn, FinishReason.SENTENCES)
        elif len(turn.token_ids) >= min(turn.request.sampling.max_tokens, room):
            self._finish(turn, FinishReason.LENGTH)

    # Keeping what was computed

    def _save_if_wanted(self, turn: RunningTurn) -> None:
        length = len(turn.read)
        if length in turn.save_at:
            turn.save_at.discard(length)
            self._sequences.save(turn, pinned=length == turn.request.pinned_tokens)

    # Ending turns

    def _say(self, turn: RunningTurn, text: str) -> None:
        if text:
            self._emit(turn.request.request_id, Delta(text))

    def _finish(self, turn: RunningTurn, reason: FinishReason) -> None:
        stopped = reason is FinishReason.STOP
        self._say(turn, turn.stream.finish() if stopped else turn.stream.cut())
        if reason is FinishReason.LENGTH:
            reason = _reason_at_limit(turn.stream)
        self._emit(turn.request.request_id, turn.finish(reason))
        self._counts.record_finish(turn)
        self._leave(turn)
        self._unload_unused()

    def _fail(self, turn: RunningTurn, error: EngineError, *, trusted: bool = True) -> None:
        self._emit(turn.request.request_id, error)
        self._leave(turn, trusted=trusted)

    def _leave(self, turn: RunningTurn, *, trusted: bool = True) -> None:
        if turn.sequence < 0:
            self._waiting.remove(turn)
            return
        if turn.sampler is not None:
            turn.sampler.close()
        self._sequences.release(turn, trusted=trusted)

    def _unload_unused(self) -> None:
        needed = {turn.request.adapter for turn in [*self._waiting, *self._sequences.running]}
        for content_hash in self._unloading - needed:
            self._prefixes.forget_adapter(content_hash)
            self._mux.forget(content_hash)
            self._unloading.discard(content_hash)


def _stream_of(request: Request) -> TextStream:
    sampling, ends = request.sampling, None
    if request.sentences is not None:
        ends = SentenceEnds(request.sentences, sampling.max_sentences)
    return TextStream(
        sampling.stop,
        in_form=sampling.in_form,
        sentences=ends,
        min_tokens=sampling.min_tokens,
    )


def _reason_at_limit(stream: TextStream) -> FinishReason:
    """How a reply ended that reached max_tokens."""
    if stream.complete:
        return FinishReason.SENTENCES
    return FinishReason.TRIMMED if stream.any_whole else FinishReason.LENGTH
