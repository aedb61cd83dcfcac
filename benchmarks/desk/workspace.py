"""How much the parts of the benchmark measure, and the server they measure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import parts
from benchmarks.errors import PeerBrokeError
from npc_client import server_process
from npc_client.client import ServerNotReadyError
from npc_client.server_process import ServerProcess
from personas.persona_files import SAMPLE_CHARACTERS
from personas.world_files import worlds_beside


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    savings: int  # of files
    characters: int  # of the large cast
    starts: int  # of each cast
    visits: int  # to a character that acts


FULL = Extent(savings=20, characters=10_000, starts=2, visits=6)
QUICK = Extent(savings=4, characters=1_000, starts=1, visits=2)

Workspace = parts.Workspace[Extent]


@asynccontextmanager
async def server(workspace: Workspace, cast: Path, name: str) -> AsyncIterator[ServerProcess]:
    """`npc serve` on a folder of characters and an empty data folder. Raises PeerBrokeError."""
    settings = {
        "NPC_PATHS_CHARACTERS": str(cast),
        "NPC_PATHS_WORLDS": str(worlds_beside(SAMPLE_CHARACTERS)),
        "NPC_PATHS_DATA": str(workspace.scratch / f"{name}-data"),
        "NPC_PATHS_CACHE": str(workspace.cache),
        "NPC_MODEL_BASE": str(workspace.base),
    }
    try:
        async with server_process.server(workspace.scratch / f"{name}.log", settings) as running:
            yield running
    except ServerNotReadyError as error:
        raise PeerBrokeError(f"{name}: {error}") from error
