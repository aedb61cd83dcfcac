"""What a thousand reacting players cost eight who talk, and how long a reaction waits meanwhile.

Each of the thousand reacts once in ten seconds on average, a call an event. Eight players talk on
the same server with that load and without it, in turn.
"""

from __future__ import annotations

import asyncio

from benchmarks.cast import Adapters, open_base, write_cast
from benchmarks.feedback import population
from benchmarks.feedback.clients import Order, Tally
from benchmarks.feedback.crowd import crowd
from benchmarks.feedback.ground import CHANNELS, CLIENTS, PLAYED, Findings, Ground
from benchmarks.load import WARM_ROUND, one_each, play
from benchmarks.measures import Round, Spoken, measured, percentile, ratio, tokens_per_s
from benchmarks.peers import Seats, Turn
from benchmarks.peers.troupe import Troupe

PLAYERS = 8
TURNS_A_PLAYER = 6  # a round, one after the other
PAUSE_S = 10.0  # of a reacting client, on average
WARM_S = 2.0  # until the first reactions have spread
LONGEST_S = 300.0


async def run(ground: Ground) -> Findings:
    """Rounds with the load and without it, in turn."""
    base = open_base(ground.base)
    cast = write_cast(
        ground.scratch / "talking", base, Adapters(ground.scratch / "adapters", base), PLAYERS, 130
    )
    population.write(cast.data / "feedback.db", PLAYED)
    troupe = Troupe("beside", base, cast, Seats(PLAYERS, 1024, 2))
    await troupe.start()
    try:
        await play(troupe, one_each(cast, base.vocab, PLAYERS, WARM_ROUND), PLAYERS)
        beside, alone, tallies = list[Round](), list[Round](), list[Tally]()
        for number in range(ground.extent.rounds):
            ground.tell("beside dialogues", number, ground.extent.rounds)
            turns = [
                turn
                for part in range(TURNS_A_PLAYER)
                for turn in one_each(cast, base.vocab, PLAYERS, number * TURNS_A_PLAYER + part)
            ]
            alone.append(await _talk(troupe, turns))
            async with crowd(_order(troupe.address, number)) as clients:
                await clients.begin()
                await asyncio.sleep(WARM_S)
                beside.append(await _talk(troupe, turns))
                tallies.append(await clients.end())
    finally:
        await troupe.stop()
    return _findings(beside, alone, tallies)


async def _talk(troupe: Troupe, turns: list[Turn]) -> Round:
    """All turns, in portions of one a player: a player has one session at a time."""
    spoken: list[Spoken] = []
    for start in range(0, len(turns), PLAYERS):
        portion = await play(troupe, turns[start : start + PLAYERS], PLAYERS)
        spoken += portion.spoken
    return Round(tuple(spoken))


def _order(address: str, number: int) -> Order:
    turns = [population.turn_id(turn) for turn in range(PLAYED.turns)]
    return Order(address, turns, CLIENTS, CHANNELS, WARM_S, LONGEST_S, 0, PAUSE_S, number)


def _findings(beside: list[Round], alone: list[Round], tallies: list[Tally]) -> Findings:
    rates = {
        "beside_tokens_per_s": [tokens_per_s(played) for played in beside],
        "alone_tokens_per_s": [tokens_per_s(played) for played in alone],
    }
    p99s = [percentile(tally.ack_ms, 0.99) for tally in tallies]
    loads = [tally.acknowledged / tally.seconds for tally in tallies]
    figures = {
        "ack_p99_ms": measured(p99s),
        "dialogue_kept": ratio(rates["beside_tokens_per_s"], rates["alone_tokens_per_s"]),
    }
    return Findings(figures, {**rates, "ack_p99_ms": p99s, "load_events_per_s": loads})
