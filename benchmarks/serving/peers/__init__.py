"""Who is measured. Every peer gets the same token ids and streams tokens back.

A peer is started once and is idle while others are measured.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.serving.cast import Member
from npc_server.engine.protocol import Sampling


@dataclass(frozen=True)
class Turn:
    """One line of one user to one character."""

    user: int
    member: Member
    line: str
    ids: tuple[int, ...]  # the rendered prompt
    sampling: Sampling


@dataclass(frozen=True)
class Capacity:
    """How much a peer is given to run on."""

    sequences: int
    context_tokens: int  # a sequence
    threads: int


class Peer(Protocol):
    """Something that replies to players."""

    name: str

    async def start(self) -> None:
        """Load everything. Raises PeerMissingError, PeerBrokeError."""
        ...

    async def ready(self, turns: Sequence[Turn]) -> None:
        """Do what these turns need before the clock starts."""
        ...

    def say(self, turn: Turn) -> AsyncGenerator[int]:
        """Stream how many tokens came, as they come. Raises PeerBrokeError.

        The last value may be zero or negative: it corrects the count, no text came with it.
        """
        ...

    async def stop(self) -> None:
        """End it; a peer that never started or has ended is left alone."""
        ...
