"""What callers see of the engine: requests in, deltas and one finish out.

A request carries token ids, never text to be rendered: what the model reads is decided by the
renderer alone. An adapter is named by its content hash, so that nothing computed under one version
can be taken for another's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class FinishReason(StrEnum):
    """Why a reply ended."""

    STOP = "stop"  # the model ended its turn, or a stop string came up
    LENGTH = "length"  # max_tokens reached
    CANCELLED = "cancelled"  # the caller went away


@dataclass(frozen=True)
class Sampling:
    """How to draw tokens; temperature 0 is greedy."""

    temperature: float = 0.7
    top_k: int = 40  # 0 = off
    top_p: float = 0.95  # 1 = off
    min_p: float = 0.0  # 0 = off
    repeat_penalty: float = 1.0  # 1 = off
    repeat_window_tokens: int = 64
    seed: int = 0
    max_tokens: int = 96
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """One reply to generate."""

    request_id: str
    prompt_ids: tuple[int, ...]
    adapter: str = ""  # content hash of a loaded adapter; "" = the bare base
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True)
class Delta:
    """More of the reply: whole characters, never part of a stop string."""

    text: str


@dataclass(frozen=True)
class Finish:
    """The end of a reply, with what it cost."""

    text: str
    token_ids: tuple[int, ...]  # as sampled, the end-of-turn token left out
    reason: FinishReason
    logprob: float  # sum over token_ids under the unscaled model distribution, in nats
    prompt_tokens: int
    cached_tokens: int  # of prompt_tokens, taken from the KV cache
    queue_ms: float  # from arrival until a sequence was free
    ttft_ms: float  # from arrival to the first sampled token
    total_ms: float


@dataclass(frozen=True)
class ModelInfo:
    """What the engine serves."""

    architecture: str
    description: str
    context_tokens: int  # prompt and reply of one turn together
    sequences: int  # turns that can run at once


@dataclass(frozen=True)
class Stats:
    """A moment's state and totals since start."""

    running: int
    waiting: int
    sequences_free: int
    adapters: tuple[str, ...]
    steps: int
    adapter_switches: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int


class Engine(Protocol):
    """Generates replies under adapters; one instance serves many callers at once."""

    @property
    def info(self) -> ModelInfo:
        """What is served; known once started."""
        ...

    async def start(self) -> None:
        """Load the model. Raises ModelLoadError."""
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
