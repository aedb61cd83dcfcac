"""What a large cast costs: the start of a server, and its memory."""

from __future__ import annotations

import asyncio
import time
from statistics import median

from benchmarks.desk.casts import FEW, write_cast
from benchmarks.desk.workspace import Workspace, server
from benchmarks.measures import Estimate
from benchmarks.memory import anonymous_bytes
from benchmarks.parts import PartResult


async def run(workspace: Workspace) -> PartResult:
    """Start a server on a small and on a large cast, in turns."""
    extent = workspace.extent
    casts = {}
    for name, size in (("few", FEW), ("many", extent.characters)):
        workspace.tell(f"write {size} characters", 0, extent.starts)
        root = workspace.scratch / f"cast-{name}"
        casts[name] = await asyncio.to_thread(write_cast, root, size)
    starts: dict[str, list[float]] = {name: [] for name in casts}
    memory: dict[str, list[float]] = {name: [] for name in casts}
    for number in range(extent.starts):
        for name, root in casts.items():
            workspace.tell(f"start with {name} characters", number, extent.starts)
            begun_s = time.perf_counter()
            async with server(workspace, root, f"start-{name}-{number}") as running:
                starts[name].append(time.perf_counter() - begun_s)
                memory[name].append(anonymous_bytes(running.process.pid))
    beyond = [many - few for few, many in zip(*starts.values(), strict=True)]
    more = extent.characters - FEW
    kib = [(many - few) / more / 1024 for few, many in zip(*memory.values(), strict=True)]
    figures = {"cast_start_s": _estimate(beyond), "cast_kib": _estimate(kib)}
    samples = {f"start_s_{name}": found for name, found in starts.items()}
    return PartResult(figures, samples)


def _estimate(samples: list[float]) -> Estimate:
    return Estimate(median(samples), min(samples), max(samples))
