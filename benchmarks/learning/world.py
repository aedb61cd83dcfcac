"""A data folder, the commands that work on it, and a server over it: what an experiment has."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import NightBrokeError, PeerBrokeError
from benchmarks.learning.population import PLAYER_KEY
from npc_client import server_process
from npc_client.client import Client, ServerNotReadyError
from personas.adapter_repo import AdapterRepo
from personas.persona import SAMPLE_CHARACTERS, Persona

LEARNER = "mira"

#: Called with (what is done, steps so far, steps in all).
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Extent:
    """How much is asked and played."""

    questions: int | None  # so many of the held-out ones; None = all
    takes: int  # of each question
    probe_takes: int
    least_rounds: int  # of visits, on the first evening and on every other
    most_rounds: int  # on the first evening; more do not come if there is still too little


FULL = Extent(None, 2, 16, 3, 12)
QUICK = Extent(8, 1, 2, 1, 12)


@dataclass(frozen=True)
class Ground:
    """Where and how experiments run."""

    base: Path
    cache: Path
    scratch: Path
    persona: Persona
    extent: Extent
    tell: Tell


@dataclass(frozen=True)
class World:
    """A data folder of its own, where players and nights leave what they do."""

    data: Path
    environment: Mapping[str, str]

    @property
    def adapters(self) -> AdapterRepo:
        """The versions there are."""
        return AdapterRepo(self.data / "adapters")

    async def npc(self, *arguments: str) -> dict[str, Any]:
        """What an `npc` command prints as JSON. Raises NightBrokeError if it prints none."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "npc_server.commands.main", *arguments, "--json"),
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, complaints = await process.communicate()
        finally:
            if process.returncode is None:  # this run is being broken off
                process.terminate()
                await process.wait()
        try:
            answer: dict[str, Any] = json.loads(said)
        except ValueError as error:
            end = (complaints or said).decode(errors="replace").strip()[-500:]
            raise NightBrokeError(
                f"npc {' '.join(arguments)} ended with {process.returncode}: {end}"
            ) from error
        return answer


def world(ground: Ground, data: Path, settings: Mapping[str, str] | None = None) -> World:
    """What lies in a folder, or a fresh world if nothing does, with further `NPC_*` settings."""
    data.mkdir(parents=True, exist_ok=True)
    _settle_who_is_held_out(data)
    environment = {
        "NPC_PATHS_DATA": str(data),
        "NPC_PATHS_CACHE": str(ground.cache),
        "NPC_PATHS_CHARACTERS": str(SAMPLE_CHARACTERS),
        "NPC_MODEL_BASE": str(ground.base),
        "NPC_FEEDBACK_EVENTS_PER_MINUTE": "0",
        **(settings or {}),
    }
    return World(data, environment)


@asynccontextmanager
async def served(world: World) -> AsyncIterator[Client]:
    """A client of a server on a world, for the length of the block. Raises PeerBrokeError."""
    try:
        async with (
            server_process.server(world.data / "server.log", world.environment) as running,
            Client(running.address) as client,
        ):
            yield client
    except ServerNotReadyError as error:
        raise PeerBrokeError(f"{world.data.name}: {error}") from error


def _settle_who_is_held_out(data: Path) -> None:
    key = data / "player.key"
    key.touch(mode=0o600)
    key.write_text(PLAYER_KEY.hex())
