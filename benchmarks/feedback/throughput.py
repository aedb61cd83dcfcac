"""Events acknowledged per second, in batches and singly, beside a bare writer.

The server is `npc serve` with an idle engine. Its rounds and those of the bare writer alternate;
the bare writer has the machine for itself.
"""

from __future__ import annotations

from functools import partial

from benchmarks.feedback import bare_writer, population
from benchmarks.feedback.bare_writer import Load
from benchmarks.feedback.client_process import run_clients
from benchmarks.feedback.clients import Workload
from benchmarks.feedback.workspace import CHANNELS, CLIENTS, PLAYED, Workspace, server
from benchmarks.measures import estimate, ratio
from benchmarks.parts import PartResult

BATCH = 100  # events per call
WARM_S = 6.0  # a thousand calls that begin at once are no steady state


async def run(workspace: Workspace) -> PartResult:
    """Rounds of batches, single events and the bare writer, in turn."""
    data, bare = workspace.scratch / "served", workspace.scratch / "bare.db"
    for path in (data / "feedback.db", bare):
        population.write(path, PLAYED)
    rates: dict[str, list[float]] = {"batch": [], "single": [], "bare": []}
    refused: dict[str, int] = {}
    async with server(workspace, data, "throughput") as running:
        for number in range(workspace.extent.rounds):
            workspace.tell("events a second", number, workspace.extent.rounds)
            workload_of = partial(_workload, running.address, workspace.extent.round_s, number)
            taken = 0.0
            for name, batch in (("batch", BATCH), ("single", 0)):
                tally = await run_clients(workload_of(batch))
                rates[name].append(tally.acknowledged / tally.seconds)
                refused |= tally.refused
                taken += rates[name][-1] * (tally.seconds + WARM_S)
            load = Load(CLIENTS, BATCH, number)
            rates["bare"].append(bare_writer.events_per_s(bare, PLAYED, int(taken), load))
    figures = {
        "over_bare_sqlite": ratio(rates["batch"], rates["bare"]),
        "over_bare_sqlite_single": ratio(rates["single"], rates["bare"]),
        "batch_events_per_s": estimate(rates["batch"]),
        "single_events_per_s": estimate(rates["single"]),
    }
    samples = {f"{name}_events_per_s": values for name, values in rates.items()}
    return PartResult(figures, samples, [f"refused: {refused}"] if refused else [])


def _workload(address: str, seconds: float, number: int, batch: int) -> Workload:
    turns = [population.turn_id(turn) for turn in range(PLAYED.turns)]
    return Workload(address, turns, CLIENTS, CHANNELS, WARM_S, seconds, batch, 0.0, number)
