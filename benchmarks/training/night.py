"""How long a night takes: `npc nightly` over three characters corrected a lot, by stage."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.errors import PeerBrokeError
from benchmarks.measures import estimate
from benchmarks.parts import PartResult
from benchmarks.training import edited_store
from benchmarks.training.workspace import Workspace
from npc_server.engine.vocab import Vocab
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

PLAYERS = 50
#: Per character. A fifth of the players and their lines are held out, and some rows are too alike,
#: which leaves about a hundred pairs to train on.
CORRECTIONS = 145


async def run(workspace: Workspace) -> PartResult:
    """One night, once."""
    cast = list(load_characters(SAMPLE_CHARACTERS).values())
    data = workspace.scratch / "data"
    data.mkdir()
    workspace.tell("write what players did", 0, 2)
    edited_store.write(data / "feedback.db", cast, Vocab(workspace.base), CORRECTIONS, PLAYERS)
    workspace.tell("a night of three characters", 1, 2)
    environment = {
        **os.environ,
        "NPC_PATHS_DATA": str(data),
        "NPC_PATHS_CACHE": str(workspace.cache),
        "NPC_MODEL_BASE": str(workspace.base),
    }
    ended = await asyncio.to_thread(_npc, environment, "nightly")
    runs = [
        await asyncio.to_thread(_npc, environment, "runs", "show", str(_number(one)))
        for one in ended
    ]
    samples = {
        f"{one['character']}: {stage}": [seconds]
        for one in runs
        for stage, seconds in one["ending"]["seconds"].items()
    }
    notes = [
        f"{one['character']}: {one['job']['counts']['train_pairs']} pairs, {one['state']}"
        for one in runs
    ]
    return PartResult({"night_seconds": estimate([sum(_seconds(ended))])}, samples, notes)


def _seconds(ended: list[dict[str, Any]]) -> list[float]:
    return [one["seconds"] for one in ended]


def _number(ended: dict[str, Any]) -> int:
    if "run" not in ended:
        raise PeerBrokeError(f"{ended['character']} was not trained: {ended['reason']}")
    number: int = ended["run"]
    return number


def _npc(environment: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "npc_server.commands.main", *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise PeerBrokeError(f"npc {' '.join(arguments)}: {done.stderr[-500:]}")
    return json.loads(done.stdout)
