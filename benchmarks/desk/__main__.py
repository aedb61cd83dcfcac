"""`python -m benchmarks.desk`: the figures of the designer's desk, in one run on one machine.

Results are `desk.json`, part by part: a run of some parts replaces those and leaves the others. A
quick run has a file of its own.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import options, parts
from benchmarks.console import progress_line
from benchmarks.desk import (
    acting,
    false_actions,
    large_cast,
    lore,
    memory_recall,
    reloading,
    summaries,
)
from benchmarks.desk.figures import MARKS
from benchmarks.desk.workspace import FULL, QUICK, Workspace
from benchmarks.machine import CORES, use_cores
from benchmarks.parts import PartResult
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.base_models.resolution import ModelPlaces, resolve

PARTS = {
    "reloading": reloading.run,
    "large_cast": large_cast.run,
    "lore": lore.run,
    "memory_recall": memory_recall.run,
    "acting": acting.run,
    "false_actions": false_actions.run,
    "summaries": summaries.run,
}

console = Console()


def main(
    quick: options.Quick = False,
    only: Annotated[list[str] | None, options.only(PARTS, "PART")] = None,
    base: options.Base = DEFAULT_MODEL,
    out: options.Out = options.RESULTS,
    cache: options.Cache = options.CACHE,
) -> None:
    """Measure what designers wait for."""
    names, path = options.choose(only, PARTS), resolve(base, ModelPlaces(cache))
    use_cores(CORES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server outlives us
    begun = time.monotonic()
    results: dict[str, PartResult] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder, progress_line(console) as tell:
            workspace = Workspace(path, Path(folder), cache, QUICK if quick else FULL, tell)
            results[name] = asyncio.run(parts.run_part(name, PARTS[name], workspace, console))
    file = out / ("desk.quick.json" if quick else "desk.json")
    parts.write(file, results, MARKS, path)
    parts.show(results, MARKS, console)
    console.print(f"{file} written after {time.monotonic() - begun:.0f} s", highlight=False)


if __name__ == "__main__":
    typer.run(main)
