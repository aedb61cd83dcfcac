"""`python -m benchmarks.feedback`: the figures of feedback, in one run on one machine.

Results are `feedback.json`, part by part: a run of some parts replaces those and leaves the others.
Every ratio is of one part, so of one run. A quick run has a file of its own.
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

from benchmarks.console import marks_table, telling
from benchmarks.errors import BenchmarkError
from benchmarks.feedback import beside_dialogue, growth, steady, throughput
from benchmarks.feedback.ground import FULL, QUICK, Findings, Ground
from benchmarks.feedback.marks import MARKS
from benchmarks.machine import CACHE, CORES, machine, use_cores, versions
from benchmarks.marks import verdict
from npc_server.base_models import catalogue

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
    base: Annotated[
        str, typer.Option(help="GGUF file or catalogue name.")
    ] = catalogue.DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="Where results go.")] = Path("benchmarks/results"),
    cache: Annotated[Path, typer.Option(help="Base models.")] = CACHE,
    scratch: Annotated[
        Path | None,
        typer.Option(help="For some 10 GB of stores; the temporary folder when left out."),
    ] = None,
) -> None:
    """Measure taking in feedback, and what a large store costs."""
    if unknown := set(only or ()) - PARTS.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(PARTS)}")
    names = [name for name in PARTS if not only or name in only]
    path = catalogue.resolve(base, cache)
    use_cores(CORES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server outlives us
    begun = time.monotonic()
    findings: dict[str, Findings] = {}
    for name in names:  # a folder a part: the stores are large
        with tempfile.TemporaryDirectory(dir=scratch) as folder, telling(console) as tell:
            ground = Ground(path, Path(folder), cache, QUICK if quick else FULL, tell)
            findings[name] = asyncio.run(_run(name, ground))
    file = out / ("feedback.quick.json" if quick else "feedback.json")
    _write(file, findings, path.name)
    figures = {key: value for found in findings.values() for key, value in found.figures.items()}
    console.print(marks_table(MARKS, figures))
    for note in (note for found in findings.values() for note in found.notes):
        console.print(f"note: {note}", markup=False, highlight=False)
    seconds = round(time.monotonic() - begun)
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


def _write(path: Path, findings: Mapping[str, Findings], base: str) -> None:
    """Replace the parts that were found; the others stay."""
    known = json.loads(path.read_text()) if path.is_file() else {}
    setting = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base,
        "machine": machine(),
        "versions": versions(),
    }
    parts = {name: setting | _part(found) for name, found in findings.items()}
    figures = {
        mark.key: verdict(mark, found.figures[mark.key])
        for found in findings.values()
        for mark in MARKS
        if mark.key in found.figures
    }
    content = {**known, **figures, "parts": known.get("parts", {}) | parts}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def _part(found: Findings) -> dict[str, Any]:
    samples = {key: [round(v, 4) for v in values] for key, values in found.samples.items()}
    return {"samples": samples, "notes": list(found.notes)}


if __name__ == "__main__":
    typer.run(main)
