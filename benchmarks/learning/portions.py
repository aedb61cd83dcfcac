"""How many pairs teach how much: trainings on parts of one population's feedback.

Every part is trained from the bare base and goes live without the gate, because a gate that needs
held-out rows would refuse the smallest parts for their size alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.errors import BenchmarkError
from benchmarks.learning import population
from benchmarks.learning.evening import evening
from benchmarks.learning.experiment import Experiment
from benchmarks.learning.hearing import hear
from benchmarks.learning.judgement import Heard, Judgement, judged
from benchmarks.learning.stages import stage
from benchmarks.learning.world import LEARNER, Ground, World, served, world
from npc_client.client import Client
from npc_server.base_models import own_process


@dataclass(frozen=True)
class Portion:
    """What so many pairs taught."""

    pairs: int
    judgement: Judgement
    seconds: float  # of the training


@dataclass(frozen=True)
class Portions:
    """Parts of one population's feedback, small to large."""

    taste: str
    portions: tuple[Portion, ...]


async def run(experiment: Experiment, rows: Sequence[int], ground: Ground, bare: Heard) -> Portions:
    """Play until there are enough pairs for the largest part, then train on each.

    Raises BenchmarkError.
    """
    players = population.players(experiment, ground.persona)
    found = []
    with stage(ground.scratch / experiment.taste / "portions", before=None) as data:
        here = world(ground, data)
        async with served(here) as client:
            played = await evening(here, client, players, 1, ground.extent, ground.tell, max(rows))
            if (pairs := played.readiness["train_pairs"]) < max(rows):
                raise BenchmarkError(f"{pairs} of {max(rows)} pairs after the last round of visits")
            for wanted in rows:
                found.append(await _portion(here, client, experiment, wanted, ground, bare))
    return Portions(experiment.taste, tuple(found))


async def _portion(
    here: World, client: Client, experiment: Experiment, pairs: int, ground: Ground, bare: Heard
) -> Portion:
    begun = time.monotonic()
    version = await asyncio.to_thread(_teach, here, ground, pairs)
    seconds = round(time.monotonic() - begun, 1)
    await client.promote(LEARNER, version)
    heard = await hear(here, client, ground, version)
    taste = population.tastes(ground.persona)[experiment.taste]
    return Portion(pairs, judged(taste, ground.persona, bare, heard), seconds)


def _teach(here: World, ground: Ground, pairs: int) -> str:
    from benchmarks.learning import lesson  # needs torch, which nothing else here does

    workplace = lesson.Workplace(ground.base, ground.cache, here.data, ground.persona)
    return own_process.run(lesson.teach, partial(_told, ground, pairs), workplace, pairs)


def _told(ground: Ground, pairs: int, what: str, done: int, total: int) -> None:
    ground.tell(f"{pairs} pairs: {what}", done, total)
