"""How many pairs teach how much: trainings on parts of one population's feedback.

Every part is trained from the bare base and goes live without the gate, because a gate that needs
held-out rows would refuse the smallest parts for their size alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.console import prefixed
from benchmarks.errors import BenchmarkError
from benchmarks.learning import population
from benchmarks.learning.checkpoints import make_checkpoint
from benchmarks.learning.experiment import Experiment
from benchmarks.learning.feedback_collection import collect_feedback
from benchmarks.learning.installation import CHARACTER, Installation, Workspace, install, serve
from benchmarks.learning.judgement import Judgement, VersionReplies, judge
from benchmarks.learning.questions import collect_replies
from npc_client.client import Client
from npc_server.base_models import own_process


@dataclass(frozen=True)
class Portion:
    """What `pairs` pairs taught."""

    pairs: int
    judgement: Judgement
    seconds: float  # of the training


@dataclass(frozen=True)
class Portions:
    """Parts of one population's feedback, small to large."""

    taste: str
    portions: tuple[Portion, ...]


async def run(
    experiment: Experiment, rows: Sequence[int], workspace: Workspace, bare: VersionReplies
) -> Portions:
    """Play until there are enough pairs for the largest part, then train on each.

    Raises BenchmarkError.
    """
    players = population.players(experiment, workspace.persona)
    portions = []
    with make_checkpoint(workspace.scratch / experiment.taste / "portions", before=None) as data:
        installation = install(workspace, data)
        async with serve(installation) as client:
            played = await collect_feedback(
                installation, client, players, 1, workspace.extent, workspace.tell, max(rows)
            )
            if (pairs := played.readiness["train_pairs"]) < max(rows):
                raise BenchmarkError(f"{pairs} of {max(rows)} pairs after the last round of visits")
            for wanted in rows:
                portions.append(
                    await _portion(installation, client, experiment, wanted, workspace, bare)
                )
    return Portions(experiment.taste, tuple(portions))


async def _portion(
    installation: Installation,
    client: Client,
    experiment: Experiment,
    pairs: int,
    workspace: Workspace,
    bare: VersionReplies,
) -> Portion:
    begun = time.monotonic()
    version = await asyncio.to_thread(_train, installation, workspace, pairs)
    seconds = round(time.monotonic() - begun, 1)
    await client.promote(CHARACTER, version)
    replies = await collect_replies(installation, client, workspace, version)
    taste = population.tastes(workspace.persona)[experiment.taste]
    return Portion(pairs, judge(taste, workspace.persona, bare, replies), seconds)


def _train(installation: Installation, workspace: Workspace, pairs: int) -> str:
    from benchmarks.learning import pair_training  # needs torch, which nothing else here does

    inputs = pair_training.TrainingInputs(
        workspace.base, workspace.cache, installation.data, workspace.persona
    )
    report = prefixed(f"{pairs} pairs", workspace.tell)
    return own_process.run(pair_training.train_and_publish, report, inputs, pairs)
