"""Peers in turn: all are started once, then play round by round, each round in another order.

Noise that lasts longer than a round hits every peer alike. Before the first measured round each
peer plays one with other lines, so that adapters and persona prefixes are warm. A peer that breaks
off is started again and noted; one that is not installed is left out and noted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.console import Tell
from benchmarks.errors import PeerBrokeError, PeerMissingError
from benchmarks.measures import Round
from benchmarks.serving.load import WARM_ROUND, play
from benchmarks.serving.peers import Peer, PlayerTurn

_ATTEMPTS = 3


@dataclass(frozen=True)
class Entry:
    """A peer, and what its users say in a round of a given number."""

    peer: Peer
    turns: Callable[[int], Sequence[PlayerTurn]]
    users: int  # how many of a round's turns run at once


@dataclass(frozen=True)
class RotationResult:
    """Measured rounds by peer; a missing peer has none."""

    rounds: dict[str, list[Round]]
    notes: list[str]


async def rotate(entries: Sequence[Entry], rounds: int, tell: Tell) -> RotationResult:
    """Play `rounds` measured rounds of every entry, after a round that warms up."""
    played = RotationResult({}, [])
    async with _start_all(entries, played.notes, tell) as present:
        played.rounds.update({entry.peer.name: [] for entry in present})
        for number in range(rounds):
            shift = number % len(present)
            for place, entry in enumerate([*present[shift:], *present[:shift]]):
                tell(entry.peer.name, number * len(present) + place, rounds * len(present))
                played.rounds[entry.peer.name].append(await _play(entry, number, played.notes))
    return played


@asynccontextmanager
async def _start_all(
    entries: Sequence[Entry], notes: list[str], tell: Tell
) -> AsyncIterator[list[Entry]]:
    present: list[Entry] = []
    try:
        for entry in entries:
            tell(f"starting {entry.peer.name}", 0, 1)
            try:
                await _start(entry)
                present.append(entry)
            except PeerMissingError as error:
                notes.append(str(error))
        yield present
    finally:
        for entry in entries:
            await entry.peer.stop()


async def _start(entry: Entry) -> None:
    await entry.peer.start()
    await play(entry.peer, entry.turns(WARM_ROUND), entry.users)


async def _play(entry: Entry, number: int, notes: list[str]) -> Round:
    for attempt in range(1, _ATTEMPTS):
        try:
            return await play(entry.peer, entry.turns(number), entry.users)
        except PeerBrokeError as error:
            notes.append(f"round {number}, attempt {attempt}: {error}; started again")
            await entry.peer.stop()
            await _start(entry)
    return await play(entry.peer, entry.turns(number), entry.users)
