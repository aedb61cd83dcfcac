"""What callers see of the engine: requests in, deltas and one finish out.

A request carries token ids, never text to be rendered: what the model reads is decided by the
renderer alone. An adapter is named by its content hash, so that nothing computed under one version
can be taken for another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class FinishReason(StrEnum):
    """Why a reply ended."""

    STOP = "stop"  # the model ended its turn, or a stop string came up
    SENTENCES = "sentences"  # max_sentences are complete
    LENGTH = "length"  # max_tokens reached, within the first sentence
    TRIMMED = "trimmed"  # max_tokens reached; what followed the last whole sentence is left out
    CANCELLED = "cancelled"  # the caller went away
    FAILED = "failed"  # the engine broke off; never sent, but recorded with what was said
    SCRIPTED = "scripted"  # an author wrote the reply; no engine made it


@dataclass(frozen=True)
class Sampling:
    """How to draw tokens; temperature 0 is greedy."""

    temperature: float = 0.7
    top_k: int = 40  # 0 = off
    top_p: float = 0.95  # 1 = off
    min_p: float = 0.0  # 0 = off
    repeat_penalty: float = 1.0  # 1 = off
    repeat_window_tokens: int = 64
    dry_multiplier: float = 0.0  # 0 = off; "don't repeat yourself": punishes repeated phrases
    dry_base: float = 1.75  # the penalty grows by this factor for each token repeated beyond
    dry_allowed_tokens: int = 2  # this many, which are free
    most_said_again: float = 1.0  # share of its phrases that one line said before may have; 1 = off
    seed: int = 0
    min_tokens: int = 0  # the reply cannot end before it has this many
    max_tokens: int = 96
    max_sentences: int = 0  # the reply ends when it has so many; 0 = no limit; needs a SentenceRule
    stop: tuple[str, ...] = ()
    grammar: str = ""  # GBNF with a rule "root"; the reply keeps to it
    json_schema: str = ""  # JSON text of a schema; the reply is JSON that keeps to it
    logprobs: bool = False  # report the log-probability of every token

    @property
    def in_form(self) -> bool:
        """Whether the reply keeps to a grammar or schema."""
        return bool(self.grammar or self.json_schema)

    @property
    def minds_phrases(self) -> bool:
        """Whether phrases that were said before make a difference."""
        return not self.in_form and (self.dry_multiplier > 0 or self.most_said_again < 1)


@dataclass(frozen=True)
class SentenceRule:
    """Where sentences end, as patterns for `re`; the group `end` of a match is an end.

    Matches without it are passed over, as what only looks like an end.
    """

    within: str  # ends that are certain, whatever text follows
    last: str  # the end at the end of the text
    unmarked: str = r"(?!)"  # the end of a text whose script marks no ends


@dataclass(frozen=True)
class Thought:
    """What a model thinks before a reply; none of it is part of the reply."""

    prompt_ids: tuple[int, ...]  # read in place of the request's own, up to within the thought
    end: int  # the token that ends the thought
    closing: tuple[int, ...]  # it, and what stands between it and the reply
    max_tokens: int  # a longer thought is ended


@dataclass(frozen=True)
class Request:
    """One reply to generate, or one prompt to judge."""

    request_id: str
    prompt_ids: tuple[int, ...]
    adapter: str = ""  # content hash of a loaded adapter; "" = the bare base
    sampling: Sampling = field(default_factory=Sampling)
    adapter_scale: float = 1.0  # strength of the adapter; 0 = the bare base
    pinned_tokens: int = 0  # prompt tokens from the start that other turns will share: kept cached
    background: bool = False  # nobody waits for it: its prompt is read in small portions
    conversation: str = ""  # requests of one that goes on have it in common; "" = a lone request
    idle: bool = False  # a guess at what comes next: it runs while nobody else needs what it takes
    sentences: SentenceRule | None = None  # a reply cut off ends at its last whole sentence
    said: tuple[tuple[int, ...], ...] = ()  # earlier replies, whose phrases count as said
    speakers: tuple[str, ...] = ()  # names that no line of the reply begins with, and a colon
    choices: tuple[int, ...] = ()  # say nothing; report how likely each of these tokens is next
    passing: bool = False  # nothing goes on from it: what it reads is not kept for others
    thought: Thought | None = None  # think first; None = reply at once
    party: str = ""  # for whom it is; those of different parties take turns while they wait


@dataclass(frozen=True)
class Delta:
    """More of the reply: whole characters, never part of a stop string.

    Under a SentenceRule the first sentence comes as it is drawn, each later one when it is whole.
    """

    text: str


@dataclass(frozen=True)
class Finish:
    """The end of a reply, with what it cost."""

    text: str
    token_ids: tuple[int, ...]  # those of text, as sampled; the end-of-turn token left out
    reason: FinishReason
    logprob: float  # sum over token_ids under the unscaled model distribution, in nats
    token_logprobs: tuple[float, ...]  # of each of token_ids; empty unless asked for
    prompt_tokens: int
    cached_tokens: int  # of prompt_tokens, taken from the KV cache
    queue_ms: float  # from arrival until a sequence was free
    ttft_ms: float  # from arrival to the first sampled token
    total_ms: float
    choices: tuple[float, ...] = ()  # log-probability of each of the request's, in nats
    thought_tokens: int = 0  # drawn before the reply, and hidden


@dataclass(frozen=True)
class ModelInfo:
    """What the engine serves."""

    architecture: str
    description: str
    context_tokens: int  # prompt and reply of one turn together
    sequences: int  # turns that can run at once
    memory: str = ""  # what it takes of each device, as planned; "" = nothing is known


class Batching(StrEnum):
    """How turns of different adapters share the model."""

    MIXED = "mixed"  # one decode per step, every row under its own adapter
    GROUPED = "grouped"  # one adapter per step, in rotation


class KvType(StrEnum):
    """The numbers that keys and values are kept in, by llama.cpp's names."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    Q8_0 = "q8_0"
    Q5_1 = "q5_1"
    Q5_0 = "q5_0"
    Q4_1 = "q4_1"
    Q4_0 = "q4_0"
    IQ4_NL = "iq4_nl"


@dataclass(frozen=True)
class ChatTokens:
    """What the chat format makes of special tokens in a reply; control tokens end it anyway."""

    ends: frozenset[int] = frozenset()  # end a reply
    masked: frozenset[int] = frozenset()  # are never drawn: marks that only a template may write


NO_CHAT_TOKENS = ChatTokens()


@dataclass(frozen=True)
class EngineOptions:
    """How an engine batches, and what memory it may keep."""

    batching: Batching = Batching.MIXED
    max_rank: int = 16  # adapters of a higher rank are rejected
    prefill_chunk_tokens: int = 128  # prompt tokens a step computes beside running replies
    cache_mib: int = 1024  # memory for kept prefixes
    adapter_cache_mib: int = 1024  # memory for parsed adapters
    max_waiting: int = 256  # turns waiting for a sequence; more are refused as busy
    chat: ChatTokens = NO_CHAT_TOKENS


@dataclass(frozen=True)
class Histogram:
    """How many measured values fell into each bucket, since start."""

    bounds: tuple[float, ...]  # upper bounds, ascending; one more bucket takes what is beyond
    counts: tuple[int, ...]  # by bucket, not cumulative
    sum: float


@dataclass(frozen=True)
class Stats:
    """The state of a moment, and counters since the engine process started."""

    batching: Batching
    batching_reason: str  # why it is not the configured one; "" = it is
    running: int
    waiting: int
    sequences: int  # turns that can run at once
    adapters: tuple[str, ...]  # content hashes parsed and kept in memory
    adapter_bytes: int  # memory those take
    cache_entries: int  # prefixes kept
    cache_bytes: int  # memory those take
    steps: int
    slot_hits: int  # turns whose adapter lay in their slot already
    slot_loads: int  # turns whose adapter was copied into their slot
    kv_moves: int  # running turns moved to keep running sequences adjacent
    prompt_tokens: int
    cached_tokens: int  # of prompt_tokens, not computed again
    generated_tokens: int
    turns: int  # finished, for whatever reason
    rejected: int  # refused because too many were waiting
    step_ms: Histogram
    adapters_per_step: Histogram  # distinct adapters among the rows of a step
    queue_ms: Histogram
    ttft_ms: Histogram
    tokens_per_s: Histogram  # of a reply, after its first token
    adapter_load_ms: Histogram  # reading, converting and checking one adapter


class Engine(Protocol):
    """Generates replies under adapters; one instance serves many callers at once."""

    @property
    def info(self) -> ModelInfo:
        """What is served; known once started."""
        ...

    @property
    def died(self) -> asyncio.Event:
        """Set while the engine is dead, asked or not."""
        ...

    async def start(self) -> None:
        """Load the model; again after a death, which leaves no adapter loaded.

        Raises ModelLoadError, EngineDiedError.
        """
        ...

    def generate(self, request: Request) -> AsyncGenerator[Delta | Finish]:
        """Stream the reply; closing the iterator cancels it and frees its sequence in one step.

        Raises RequestRejectedError, UnknownAdapterError, EngineBusyError, DecodeError,
        EngineDiedError.
        """
        ...

    async def load_adapter(self, content_hash: str, folder: Path) -> None:
        """Make the PEFT adapter in `folder` usable. Raises AdapterRejectedError."""
        ...

    async def unload_adapter(self, content_hash: str) -> None:
        """Forget an adapter once nothing runs under it; unknown hashes are ignored."""
        ...

    async def stats(self) -> Stats:
        """A snapshot of state and counters."""
        ...

    async def close(self) -> None:
        """End the engine; running requests fail with EngineDiedError."""
        ...
