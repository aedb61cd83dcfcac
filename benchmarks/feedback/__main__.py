"""`python -m benchmarks.feedback`: the figures of feedback, in one run on one machine.

Results are `feedback.json`; a quick or partial run has its own file name, so that this one always
tells of a whole run.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import report
from benchmarks.errors import BenchmarkError
from benchmarks.feedback import beside_dialogue, growth, steady, throughput
from benchmarks.feedback.ground import FULL, QUICK, Findings, Ground
from benchmarks.feedback.marks import MARKS
from benchmarks.serving import marks_table, telling, use_cores
from benchmarks.stage import CORES
from npc_server import models

PARTS = {
    "throughput": throughput.run,
    "beside_dialogue": beside_dialogue.run,
    "growth": growth.run,
    "steady": steady.run,
}

console = Console()


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Shorter rounds, smaller stores.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Repeatable; one of: {', '.join(PARTS)}.", metavar="PART"),
    ] = None,
    base: Annotated[str, typer.Option(help="GGUF file or catalogue name.")] = models.DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="Where results go.")] = Path("benchmarks/results"),
    cache: Annotated[Path, typer.Option(help="Base models.")] = Path("~/.cache/troupe"),
    scratch: Annotated[
        Path | None,
        typer.Option(help="For some 10 GB of stores; the temporary folder when left out."),
    ] = None,
) -> None:
    """Measure taking in feedback, and what a large store costs."""
    if unknown := set(only or ()) - PARTS.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(PARTS)}")
    names = [name for name in PARTS if not only or name in only]
    path = models.resolve(base, cache.expanduser())
    use_cores(CORES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server outlives us
    begun = time.monotonic()
    findings: dict[str, Findings] = {}
    for name in names:  # a folder a part: the stores are large
        with tempfile.TemporaryDirectory(dir=scratch) as folder, telling(console) as tell:
            ground = Ground(path, Path(folder), cache.expanduser(), QUICK if quick else FULL, tell)
            findings[name] = asyncio.run(_run(name, ground))
    seconds = round(time.monotonic() - begun)
    file = out / _file_name(quick, names)
    _write(file, findings, {"base": path.name, "seconds": seconds, "quick": quick})
    figures = {key: value for found in findings.values() for key, value in found.figures.items()}
    console.print(marks_table(MARKS, figures))
    for note in (note for found in findings.values() for note in found.notes):
        console.print(f"note: {note}", markup=False, highlight=False)
    console.print(f"{file} written after {seconds} s", highlight=False)


async def _run(name: str, ground: Ground) -> Findings:
    def tell(what: str, done: int, total: int) -> None:
        ground.tell(f"{name}: {what}", done, total)

    begun = time.monotonic()
    try:
        found = await PARTS[name](replace(ground, tell=tell))
    except BenchmarkError as error:
        found = Findings({}, notes=[f"{name} broke off: {error}"])
    console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    return found


def _file_name(quick: bool, names: list[str]) -> str:
    part = "" if len(names) == len(PARTS) else "." + "+".join(names)
    return f"feedback{'.quick' if quick else ''}{part}.json"


def _write(path: Path, findings: Mapping[str, Findings], setting: Mapping[str, Any]) -> None:
    figures = {key: value for found in findings.values() for key, value in found.figures.items()}
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **setting,
        "machine": report.machine(),
        "versions": report.versions(),
        **{mark.key: report.verdict(mark, figures.get(mark.key)) for mark in MARKS},
        "samples": {
            name: {key: [round(v, 4) for v in values] for key, values in found.samples.items()}
            for name, found in findings.items()
        },
        "notes": [note for found in findings.values() for note in found.notes],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
