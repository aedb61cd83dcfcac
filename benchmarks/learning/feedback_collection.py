"""Players visit until there is enough to train on: an evening of play."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.console import Tell
from benchmarks.learning.installation import CHARACTER, Extent, Installation
from npc_client.client import Client
from npc_client.players import Player, Visit, play, visits

VISITS_AT_ONCE = 8
LINES_PER_VISIT = 2
SEED = 2
_SEEDS_PER_EVENING = 100_000

Readiness = Mapping[str, Any]  # what `npc train --readiness` says


@dataclass(frozen=True)
class CollectedFeedback:
    """What players did, and what there is to train on after it."""

    counts: Mapping[str, int]
    readiness: Readiness
    seconds: float


async def collect_feedback(
    installation: Installation,
    client: Client,
    players: Sequence[Player],
    number: int,
    extent: Extent,
    tell: Tell,
    pairs: int = 0,
) -> CollectedFeedback:
    """Let everybody visit once per round until the trainer is ready and has `pairs` pairs.

    Raises NightBrokeError.
    """
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    readiness: Readiness = {}
    seed = SEED + _SEEDS_PER_EVENING * number
    rounds = visits(players, CHARACTER, LINES_PER_VISIT, extent.most_rounds, seed)
    for done, round_ in enumerate(rounds):
        tell("players play", done, max(extent.least_rounds, done + 1))
        await _play(client, round_, counts)
        readiness = await installation.npc("train", CHARACTER, "--readiness")
        enough = readiness["state"] == "ready" and readiness["train_pairs"] >= pairs
        if enough and done + 1 >= extent.least_rounds:
            break
    return CollectedFeedback(dict(counts), readiness, time.monotonic() - begun)


async def _play(client: Client, round_: Sequence[Visit], counts: Counter[str]) -> None:
    gate = asyncio.Semaphore(VISITS_AT_ONCE)

    async def visit(one: Visit) -> None:
        async with gate:
            await play(client, one, counts)

    await asyncio.gather(*(visit(one) for one in round_))
