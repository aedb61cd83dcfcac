"""How much the parts of the benchmark measure, and the server they measure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import parts
from benchmarks.errors import PeerBrokeError
from benchmarks.feedback.population import Size
from npc_client import server_process
from npc_client.client import ServerNotReadyError
from npc_client.server_process import ServerProcess

CLIENTS, CHANNELS = 1_000, 100
PLAYED = Size(characters=10, turns_each=1_000)  # what the server's store holds beforehand
NO_LIMIT = {"NPC_FEEDBACK_EVENTS_PER_MINUTE": "0"}  # on what a player sends


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    round_s: float
    steady_s: float  # how long memory is watched
    watched_from_s: float  # what memory is compared with
    small: Size
    large: Size
    repeats: int  # of each growth measurement


FULL = Extent(5, 15.0, 300.0, 60.0, Size(1, 10_000), Size(100, 10_000), 5)
QUICK = Extent(2, 10.0, 30.0, 10.0, Size(1, 2_000), Size(20, 2_000), 3)


Workspace = parts.Workspace[Extent]


@asynccontextmanager
async def server(workspace: Workspace, data: Path, name: str) -> AsyncIterator[ServerProcess]:
    """`npc serve` on a data folder, without a limit on what a player sends.

    Raises PeerBrokeError.
    """
    settings = {
        "NPC_PATHS_DATA": str(data),
        "NPC_PATHS_CACHE": str(workspace.cache),
        "NPC_MODEL_BASE": str(workspace.base),
        **NO_LIMIT,
    }
    try:
        async with server_process.server(workspace.scratch / f"{name}.log", settings) as running:
            yield running
    except ServerNotReadyError as error:
        raise PeerBrokeError(f"{name}: {error}") from error
