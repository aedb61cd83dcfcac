"""Players visit until there is enough to train on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.learning.world import LEARNER, Extent, Tell, World
from npc_client.client import Client
from npc_client.players import Player, Visit, play, visits

VISITS_AT_ONCE = 8
LINES_PER_VISIT = 2
SEED = 2
_SEEDS_AN_EVENING = 100_000

Readiness = Mapping[str, Any]  # what `npc train --readiness` says


@dataclass(frozen=True)
class Evening:
    """What players did, and what there is to train on after it."""

    counts: Mapping[str, int]
    readiness: Readiness
    seconds: float


async def evening(
    world: World,
    client: Client,
    players: Sequence[Player],
    number: int,
    extent: Extent,
    tell: Tell,
    pairs: int = 0,
) -> Evening:
    """Rounds in which everybody visits once, until the trainer is ready and has so many pairs.

    Raises NightBrokeError.
    """
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    readiness: Readiness = {}
    seed = SEED + _SEEDS_AN_EVENING * number
    rounds = visits(players, LEARNER, LINES_PER_VISIT, extent.most_rounds, seed)
    for done, round_ in enumerate(rounds):
        tell("players play", done, max(extent.least_rounds, done + 1))
        await _play(client, round_, counts)
        readiness = await world.npc("train", LEARNER, "--readiness")
        enough = readiness["state"] == "ready" and readiness["train_pairs"] >= pairs
        if enough and done + 1 >= extent.least_rounds:
            break
    return Evening(dict(counts), readiness, time.monotonic() - begun)


async def _play(client: Client, round_: Sequence[Visit], counts: Counter[str]) -> None:
    gate = asyncio.Semaphore(VISITS_AT_ONCE)

    async def visit(one: Visit) -> None:
        async with gate:
            await play(client, one, counts)

    await asyncio.gather(*(visit(one) for one in round_))
