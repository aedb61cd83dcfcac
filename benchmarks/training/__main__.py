"""`python -m benchmarks.training`: what training costs, in one run on one machine.

    python -m benchmarks.training                        everything, some 20 minutes
    python -m benchmarks.training --only side_by_side    one part; the others' results stay
    python -m benchmarks.training --quick                16 pairs, to training.quick.json

Every ratio is of one part, so of one run. What needs a GPU is `benchmarks.gpu`.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import options, parts
from benchmarks.console import progress_line
from benchmarks.machine import CORES, use_cores
from benchmarks.parts import PartResult
from benchmarks.training import beside_dialogue, night, side_by_side
from benchmarks.training.figures import MARKS
from benchmarks.training.workspace import FULL, QUICK, Workspace
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.base_models.resolution import ModelPlaces, resolve

PARTS = {
    "side_by_side": side_by_side.run,
    "beside_dialogue": beside_dialogue.run,
    "night": night.run,
}
EXAMPLES = "Examples:  python -m benchmarks.training --quick  |  --only side_by_side"

console = Console()


def main(
    quick: options.Quick = False,
    only: Annotated[list[str] | None, options.only(PARTS, "PART")] = None,
    base: options.Base = DEFAULT_MODEL,
    out: options.Out = options.RESULTS,
    cache: options.Cache = options.CACHE,
) -> None:
    """Measure training beside TRL's own trainer, and beside dialogues."""
    names, path = options.choose(only, PARTS), resolve(base, ModelPlaces(cache))
    use_cores(CORES)
    begun = time.monotonic()
    results: dict[str, PartResult] = {}
    with tempfile.TemporaryDirectory() as folder, progress_line(console) as tell:
        workspace = Workspace(path, Path(folder), cache, QUICK if quick else FULL, tell)
        for name in names:
            results[name] = asyncio.run(parts.run_part(name, PARTS[name], workspace, console))
    file = out / ("training.quick.json" if quick else "training.json")
    parts.write(file, results, MARKS, path)
    parts.show(results, MARKS, console)
    console.print(f"{file} written after {time.monotonic() - begun:.0f} s", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLES)(main)
    app()
