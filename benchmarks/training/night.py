"""How long a night takes: `npc nightly` over three characters corrected a lot, by stage."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.errors import PeerBrokeError
from benchmarks.measures import measured
from benchmarks.training import evenings
from benchmarks.training.ground import Findings, Ground
from npc_server.engine.llama import Vocab
from personas.persona import SAMPLE_CHARACTERS, load_characters

PLAYERS = 50
#: Of a character. A fifth of the players and their lines are held out, and some rows are too alike:
#: of so many about a hundred pairs are left to train on.
CORRECTIONS = 145


async def run(ground: Ground) -> Findings:
    """One night, once."""
    cast = list(load_characters(SAMPLE_CHARACTERS).values())
    data = ground.scratch / "data"
    data.mkdir()
    ground.tell("write what players did", 0, 2)
    evenings.write(data / "feedback.db", cast, Vocab(ground.base), CORRECTIONS, PLAYERS)
    ground.tell("a night of three characters", 1, 2)
    environment = {
        **os.environ,
        "NPC_PATHS_DATA": str(data),
        "NPC_PATHS_CACHE": str(ground.cache),
        "NPC_MODEL_BASE": str(ground.base),
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
    return Findings({"night_seconds": measured([sum(_seconds(ended))])}, samples, notes)


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
