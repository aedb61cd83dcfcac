"""Whether the memory of a server that takes events for minutes stays as it is."""

from __future__ import annotations

import asyncio

from benchmarks.feedback import population
from benchmarks.feedback.client_process import client_process
from benchmarks.feedback.clients import Workload
from benchmarks.feedback.workspace import CHANNELS, CLIENTS, PLAYED, Workspace, server
from benchmarks.measures import Estimate
from benchmarks.memory import resident_bytes
from benchmarks.parts import PartResult

PAUSE_S = 1.0  # of a client, on average: about a thousand events per second
SAMPLE_S = 2.0


async def run(workspace: Workspace) -> PartResult:
    """A thousand clients for some minutes; the server process itself is watched, not the engine."""
    data = workspace.scratch / "steady"
    population.write(data / "feedback.db", PLAYED)
    seconds = workspace.extent.steady_s
    sizes: list[float] = []
    async with server(workspace, data, "steady") as running:
        turns = [population.turn_id(turn) for turn in range(PLAYED.turns)]
        workload = Workload(running.address, turns, CLIENTS, CHANNELS, 0.0, seconds, 0, PAUSE_S, 0)
        async with client_process(workload) as clients:
            await clients.begin()
            for number in range(steps := int(seconds / SAMPLE_S)):
                workspace.tell("memory", number, steps)
                await asyncio.sleep(SAMPLE_S)
                sizes.append(resident_bytes(running.process.pid) / 2**20)
            tally = await clients.result()
    early = sizes[int(workspace.extent.watched_from_s / SAMPLE_S) - 1]
    grown = Estimate(sizes[-1] / early, min(sizes) / early, max(sizes) / early)
    rate = tally.acknowledged / tally.seconds
    return PartResult({"rss_growth": grown}, {"rss_mib": sizes, "steady_events_per_s": [rate]})
