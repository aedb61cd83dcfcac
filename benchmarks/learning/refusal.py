"""What a candidate would have said that the gate refused.

A method whose candidate is refused taught something all the same, and whether a refusal was right
is a question about the gate. So the candidate goes live in a copy of its world, which nothing else
comes of.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.learning.hearing import hear
from benchmarks.learning.judgement import Heard
from benchmarks.learning.world import LEARNER, Ground, World, served
from personas.adapter_repo import Draft
from trainer.records import runs
from trainer.records.runs import Run, Terms


async def hear_refused(here: World, ground: Ground, run_number: int) -> Heard | None:
    """What the candidate of a run says; None when the run left none. Raises BenchmarkError."""
    run = runs.by_number(here.data / "runs", run_number)
    if not run.candidate.is_dir():
        return None
    with tempfile.TemporaryDirectory(dir=ground.scratch) as folder:
        copy = _copy(here, Path(folder) / "data")
        version = _publish(copy, run)
        async with served(copy) as client:
            await client.promote(LEARNER, version)
            return await hear(copy, client, ground, version)


def _copy(here: World, data: Path) -> World:
    shutil.copytree(here.data, data)
    return replace(here, data=data, environment={**here.environment, "NPC_PATHS_DATA": str(data)})


def _publish(copy: World, run: Run) -> str:
    """The version that it would have been, without the gate's consent."""
    terms = run.read(Terms)
    draft = Draft(
        character=run.character,
        parent=terms.parent,
        base_sha256=terms.base_sha256,
        method=terms.method,
        config=terms.config,
        snapshot_hash=terms.snapshot_hash,
        players=(),
        gate={"passed": False},
        persona_version=terms.persona_version,
    )
    return copy.adapters.publish(draft, run.candidate).version
