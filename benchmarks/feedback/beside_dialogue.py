"""What a thousand reacting players cost eight that talk, and how long a reaction waits meanwhile.

Each of the thousand reacts once in thirty seconds on average, one call per event; then once in ten.
Eight players talk on the same server without that load and with each of the two, in turn, about
something new every time. Everybody shares two cores, the clients too.
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
from benchmarks.feedback.workspace import CHANNELS, CLIENTS, PLAYED, Workspace
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
#: The mean pause of a reacting client, with the ending of its figures' names.
PAUSES_S = {30.0: "", 10.0: "_busy"}
WARM_S = 2.0  # until the first reactions have spread
LONGEST_S = 300.0


async def run(workspace: Workspace) -> PartResult:
    """Rounds with the load and without it, in turn."""
    base = open_base(workspace.base)
    adapters = Adapters(workspace.scratch / "adapters", base)
    cast = write_cast(workspace.scratch / "talking", base, adapters, PLAYERS, 130)
    population.write(cast.data / "feedback.db", PLAYED)
    troupe = Troupe("beside", base, cast, Capacity(PLAYERS, 1024, 2))
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
    """Rounds without and with each load, by the mean pause."""

    alone: list[Round] = field(default_factory=list)
    beside: dict[float, list[Round]] = field(default_factory=lambda: {p: [] for p in PAUSES_S})
    tallies: dict[float, list[Tally]] = field(default_factory=lambda: {p: [] for p in PAUSES_S})


#: The turns of one talk; those of another number are of other lines, new to every cache.
_Turns = Callable[[int], list[PlayerTurn]]


def _turns(cast: Cast, base: Base, talk: int) -> list[PlayerTurn]:
    first = talk * TURNS_PER_PLAYER
    parts = range(first, first + TURNS_PER_PLAYER)
    return [turn for part in parts for turn in one_each(cast, base.vocab, PLAYERS, part)]


async def _round(troupe: Troupe, turns: _Turns, number: int, rounds: _Rounds) -> None:
    talks = count(number * (1 + len(PAUSES_S)))
    rounds.alone.append(await _talk(troupe, turns(next(talks))))
    for pause_s in PAUSES_S:
        async with client_process(_workload(troupe.address, number, pause_s)) as clients:
            await clients.begin()
            await asyncio.sleep(WARM_S)
            rounds.beside[pause_s].append(await _talk(troupe, turns(next(talks))))
            rounds.tallies[pause_s].append(await clients.end())


async def _talk(troupe: Troupe, turns: list[PlayerTurn]) -> Round:
    """All turns, in portions of one per player: a player has one session at a time."""
    spoken: list[TimedReply] = []
    for start in range(0, len(turns), PLAYERS):
        portion = await play(troupe, turns[start : start + PLAYERS], PLAYERS)
        spoken += portion.replies
    return Round(tuple(spoken))


def _workload(address: str, number: int, pause_s: float) -> Workload:
    turns = [population.turn_id(turn) for turn in range(PLAYED.turns)]
    return Workload(address, turns, CLIENTS, CHANNELS, WARM_S, LONGEST_S, 0, pause_s, number)


def _result(rounds: _Rounds) -> PartResult:
    alone = [tokens_per_s(played) for played in rounds.alone]
    figures: dict[str, Estimate] = {}
    samples = {"alone_tokens_per_s": alone}
    for pause_s, tail in PAUSES_S.items():
        beside = [tokens_per_s(played) for played in rounds.beside[pause_s]]
        p99s = [percentile(tally.ack_ms, 0.99) for tally in rounds.tallies[pause_s]]
        figures |= {f"dialogue_kept{tail}": ratio(beside, alone)}
        figures |= {f"ack_p99{tail}_ms": estimate(p99s)}
        loads = [tally.acknowledged / tally.seconds for tally in rounds.tallies[pause_s]]
        samples |= {f"beside{tail}_tokens_per_s": beside, f"load{tail}_events_per_s": loads}
    return PartResult(figures, samples)
