"""What is measured: peers. Every peer gets the same token ids and streams tokens back.

A peer is started once and is idle while others are measured.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.serving.cast import Member
from npc_server.engine.protocol import Sampling


@dataclass(frozen=True)
class PlayerTurn:
    """One line of one user to one character."""

    user: int
    member: Member
    line: str
    ids: tuple[int, ...]  # the rendered prompt
    sampling: Sampling


@dataclass(frozen=True)
class Capacity:
    """What a peer may run on."""

    sequences: int
    context_tokens: int  # per sequence
    threads: int


class Peer(Protocol):
    """Something that replies to players."""

    name: str

    async def start(self) -> None:
        """Load everything. Raises PeerMissingError, PeerBrokeError."""
        ...

    async def ready(self, turns: Sequence[PlayerTurn]) -> None:
        """Do what these turns need before the clock starts."""
        ...

    def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        """Stream the number of tokens whenever some come. Raises PeerBrokeError.

        The last value may be zero or negative: it corrects the count, without text.
        """
        ...

    async def stop(self) -> None:
        """End it; a peer that never started or has ended is left alone."""
        ...
