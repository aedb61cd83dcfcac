"""What every part of the benchmark is given, and the server it is measured on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.errors import PeerBrokeError
from benchmarks.feedback.population import Size
from benchmarks.measures import Measured
from npc_client import server_process
from npc_client.client import ServerNotReadyError
from npc_client.server_process import ServerProcess

CLIENTS, CHANNELS = 1_000, 100
PLAYED = Size(characters=10, turns_each=1_000)  # what the server's store holds beforehand

#: Called with (what is done, steps so far, steps in all).
Tell = Callable[[str, int, int], None]


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


@dataclass(frozen=True)
class Ground:
    """Where and how a part runs."""

    base: Path
    scratch: Path
    cache: Path
    extent: Extent
    tell: Tell


@dataclass(frozen=True)
class Findings:
    """What a part found."""

    figures: Mapping[str, Measured]
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@asynccontextmanager
async def server(ground: Ground, data: Path, name: str) -> AsyncIterator[ServerProcess]:
    """`npc serve` on a data folder, without a limit on what a player sends.

    Raises PeerBrokeError.
    """
    settings = {
        "NPC_PATHS_DATA": str(data),
        "NPC_PATHS_CACHE": str(ground.cache),
        "NPC_MODEL_BASE": str(ground.base),
        "NPC_FEEDBACK_EVENTS_PER_MINUTE": "0",
    }
    try:
        async with server_process.server(ground.scratch / f"{name}.log", settings) as running:
            yield running
    except ServerNotReadyError as error:
        raise PeerBrokeError(f"{name}: {error}") from error
