"""What a candidate that the gate refused would have said.

A method whose candidate is refused taught something all the same, and whether a refusal was right
is a question about the gate. So the candidate goes live in a copy of the installation, which is
then thrown away.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.learning.installation import CHARACTER, Installation, Workspace, serve
from benchmarks.learning.judgement import VersionReplies
from benchmarks.learning.questions import collect_replies
from personas.adapter_repo import Draft
from trainer.records import runs
from trainer.records.entries import Terms
from trainer.records.runs import Run


async def collect_refused_replies(
    installation: Installation, workspace: Workspace, run_number: int
) -> VersionReplies | None:
    """Ask the candidate of a run; None when the run left none. Raises BenchmarkError."""
    run = runs.by_number(installation.data / "runs", run_number)
    if not run.candidate.is_dir():
        return None
    with tempfile.TemporaryDirectory(dir=workspace.scratch) as folder:
        copy = _copy(installation, Path(folder) / "data")
        version = _publish(copy, run)
        async with serve(copy) as client:
            await client.promote(CHARACTER, version)
            return await collect_replies(copy, client, workspace, version)


def _copy(installation: Installation, data: Path) -> Installation:
    shutil.copytree(installation.data, data)
    return replace(
        installation,
        data=data,
        environment={**installation.environment, "NPC_PATHS_DATA": str(data)},
    )


def _publish(copy: Installation, run: Run) -> str:
    """Publish the candidate without the gate's consent; returns its version."""
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
