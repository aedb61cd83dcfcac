"""What reacting players cost eight that talk, and how long a reaction waits meanwhile.

A thousand react once in thirty seconds on average, one call per event; then once in ten. Then
twenty clients send one event after the other, as fast as they are answered. Eight players talk on
the same server without that load and with each of the three, in turn, about something new every
time. Everybody shares two cores, the clients too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from benchmarks.feedback import population
from benchmarks.feedback.client_process import client_process
from benchmarks.feedback.clients import Tally, Workload
from benchmarks.feedback.workspace import CHANNELS, CLIENTS, NO_LIMIT, PLAYED, Workspace
from benchmarks.measures import (
    Estimate,
    Round,
    TimedReply,
    estimate,
    percentile,
    ratio,
    tokens_per_s,
)
from benchmarks.parts import PartResult
from benchmarks.serving.cast import Adapters, Base, Cast, open_base, write_cast
from benchmarks.serving.load import WARM_ROUND, one_each, play
from benchmarks.serving.peers import Capacity, PlayerTurn
from benchmarks.serving.peers.troupe import Troupe

PLAYERS = 8
TURNS_PER_PLAYER = 6  # a round, one after the other


@dataclass(frozen=True)
class Crowd:
    """Who reacts beside the dialogues."""

    clients: int
    channels: int
    pause_s: float  # of a client, on average, between an answer and its next event


#: By the ending of its figures' names.
CROWDS = {
    "": Crowd(CLIENTS, CHANNELS, 30.0),
    "_busy": Crowd(CLIENTS, CHANNELS, 10.0),
    "_flood": Crowd(20, 20, 0.0),
}
WARM_S = 2.0  # until the first reactions have spread
LONGEST_S = 300.0


async def run(workspace: Workspace) -> PartResult:
    """Rounds with the load and without it, in turn."""
    base = open_base(workspace.base)
    adapters = Adapters(workspace.scratch / "adapters", base)
    cast = write_cast(workspace.scratch / "talking", base, adapters, PLAYERS, 130)
    population.write(cast.data / "feedback.db", PLAYED)
    troupe = Troupe("beside", base, cast, Capacity(PLAYERS, 1024, 2), NO_LIMIT)
    await troupe.start()
    try:
        await play(troupe, one_each(cast, base.vocab, PLAYERS, WARM_ROUND), PLAYERS)
        rounds = _Rounds()
        for number in range(workspace.extent.rounds):
            workspace.tell("beside dialogues", number, workspace.extent.rounds)
            await _round(troupe, partial(_turns, cast, base), number, rounds)
    finally:
        await troupe.stop()
    return _result(rounds)


@dataclass
class _Rounds:
    """Rounds without and with each crowd, by its ending."""

    alone: list[Round] = field(default_factory=list)
    beside: dict[str, list[Round]] = field(default_factory=lambda: {end: [] for end in CROWDS})
    tallies: dict[str, list[Tally]] = field(default_factory=lambda: {end: [] for end in CROWDS})


#: The turns of one talk; those of another number are of other lines, new to every cache.
_Turns = Callable[[int], list[PlayerTurn]]


def _turns(cast: Cast, base: Base, talk: int) -> list[PlayerTurn]:
    first = talk * TURNS_PER_PLAYER
    parts = range(first, first + TURNS_PER_PLAYER)
    return [turn for part in parts for turn in one_each(cast, base.vocab, PLAYERS, part)]


async def _round(troupe: Troupe, turns: _Turns, number: int, rounds: _Rounds) -> None:
    talks = count(number * (1 + len(CROWDS)))
    rounds.alone.append(await _talk(troupe, turns(next(talks))))
    for place, (ending, crowd) in enumerate(CROWDS.items()):
        seed = number * len(CROWDS) + place  # event ids are made of it
        async with client_process(_workload(troupe.address, seed, crowd)) as clients:
            await clients.begin()
            await asyncio.sleep(WARM_S)
            rounds.beside[ending].append(await _talk(troupe, turns(next(talks))))
            rounds.tallies[ending].append(await clients.end())


async def _talk(troupe: Troupe, turns: list[PlayerTurn]) -> Round:
    """All turns, in portions of one per player: a player has one session at a time."""
    spoken: list[TimedReply] = []
    for start in range(0, len(turns), PLAYERS):
        portion = await play(troupe, turns[start : start + PLAYERS], PLAYERS)
        spoken += portion.replies
    return Round(tuple(spoken))


def _workload(address: str, seed: int, crowd: Crowd) -> Workload:
    turns = [population.turn_id(turn) for turn in range(PLAYED.turns)]
    return Workload(
        address, turns, crowd.clients, crowd.channels, WARM_S, LONGEST_S, 0, crowd.pause_s, seed
    )


def _result(rounds: _Rounds) -> PartResult:
    alone = [tokens_per_s(played) for played in rounds.alone]
    figures: dict[str, Estimate] = {}
    samples = {"alone_tokens_per_s": alone}
    for tail, tallies in rounds.tallies.items():
        beside = [tokens_per_s(played) for played in rounds.beside[tail]]
        p99s = [percentile(tally.ack_ms, 0.99) for tally in tallies]
        figures |= {f"dialogue_kept{tail}": ratio(beside, alone)}
        figures |= {f"ack_p99{tail}_ms": estimate(p99s)}
        loads = [tally.acknowledged / tally.seconds for tally in tallies]
        samples |= {f"beside{tail}_tokens_per_s": beside, f"load{tail}_events_per_s": loads}
    return PartResult(figures, samples)
