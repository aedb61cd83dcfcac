"""An installation of its own for each experiment: a data folder, `npc` on it, a server over it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.console import Tell
from benchmarks.errors import NightBrokeError, PeerBrokeError
from benchmarks.learning.population import PLAYER_KEY
from npc_client import server_process
from npc_client.client import Client, ServerNotReadyError
from personas.adapter_repo import AdapterRepo
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS

CHARACTER = "mira"


@dataclass(frozen=True)
class Extent:
    """How much is played and asked."""

    questions: int | None  # the first of the held-out ones; None = all
    takes: int  # of each question
    probe_takes: int
    least_rounds: int  # of visits, every evening
    most_rounds: int  # after these an evening ends even with too little to train on


FULL = Extent(None, 2, 16, 3, 12)
QUICK = Extent(8, 1, 2, 1, 12)


@dataclass(frozen=True)
class Workspace:
    """Where experiments run, on whom, and how much they measure."""

    base: Path
    cache: Path
    scratch: Path
    persona: Persona
    extent: Extent
    tell: Tell


@dataclass(frozen=True)
class Installation:
    """A data folder that players and nights write to, and the settings it is used with."""

    data: Path
    environment: Mapping[str, str]

    @property
    def adapters(self) -> AdapterRepo:
        """The versions published here."""
        return AdapterRepo(self.data / "adapters")

    async def npc(self, *arguments: str) -> dict[str, Any]:
        """Run an `npc` command; returns its JSON. Raises NightBrokeError if it prints none."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "npc_server.commands.main", *arguments, "--json"),
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            printed, complaints = await process.communicate()
        finally:
            if process.returncode is None:  # this run is being broken off
                process.terminate()
                await process.wait()
        try:
            content: dict[str, Any] = json.loads(printed)
        except ValueError as error:
            end = (complaints or printed).decode(errors="replace").strip()[-500:]
            raise NightBrokeError(
                f"npc {' '.join(arguments)} ended with {process.returncode}: {end}"
            ) from error
        return content


def install(
    workspace: Workspace, data: Path, settings: Mapping[str, str] | None = None
) -> Installation:
    """Use what lies in a data folder, or begin one, under further `NPC_*` settings."""
    data.mkdir(parents=True, exist_ok=True)
    _write_player_key(data)
    environment = {
        "NPC_PATHS_DATA": str(data),
        "NPC_PATHS_CACHE": str(workspace.cache),
        "NPC_PATHS_CHARACTERS": str(SAMPLE_CHARACTERS),
        "NPC_MODEL_BASE": str(workspace.base),
        "NPC_FEEDBACK_EVENTS_PER_MINUTE": "0",
        **(settings or {}),
    }
    return Installation(data, environment)


@asynccontextmanager
async def serve(installation: Installation) -> AsyncIterator[Client]:
    """Serve for the length of the block; yields a client. Raises PeerBrokeError."""
    try:
        async with (
            server_process.server(
                installation.data / "server.log", installation.environment
            ) as running,
            Client(running.address) as client,
        ):
            yield client
    except ServerNotReadyError as error:
        raise PeerBrokeError(f"{installation.data.name}: {error}") from error


def _write_player_key(data: Path) -> None:
    key = data / "player.key"
    key.touch(mode=0o600)
    key.write_text(PLAYER_KEY.hex())
