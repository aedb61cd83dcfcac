"""`python -m benchmarks.training`: what training costs, in one run on one machine.

    python -m benchmarks.training                        everything, some 20 minutes
    python -m benchmarks.training --only side_by_side    one part; the others' results stay
    python -m benchmarks.training --quick                16 pairs, to training.quick.json

Every ratio is of one part, so of one run. A part that needs a GPU says so and is left out here.
"""

from __future__ import annotations

import asyncio
import json
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
from benchmarks.machine import CACHE, CORES, machine, use_cores, versions
from benchmarks.marks import verdict
from benchmarks.training import beside_dialogue, night, qlora, side_by_side
from benchmarks.training.ground import FULL, QUICK, Findings, Ground
from benchmarks.training.marks import MARKS
from npc_server.base_models import catalogue

PARTS = {
    "side_by_side": side_by_side.run,
    "beside_dialogue": beside_dialogue.run,
    "night": night.run,
    "qlora": qlora.run,
}
EXAMPLES = "Examples:  python -m benchmarks.training --quick  |  --only side_by_side"

console = Console()


def main(
    quick: Annotated[bool, typer.Option("--quick", help="One round of fewer pairs.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Repeatable; one of: {', '.join(PARTS)}.", metavar="PART"),
    ] = None,
    base: Annotated[
        str, typer.Option(help="GGUF file or catalogue name.")
    ] = catalogue.DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="Where results go.")] = Path("benchmarks/results"),
    cache: Annotated[Path, typer.Option(help="Base models.")] = CACHE,
) -> None:
    """Measure training beside TRL as it comes, and beside dialogues."""
    if unknown := set(only or ()) - PARTS.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(PARTS)}")
    path = catalogue.resolve(base, cache)
    use_cores(CORES)
    begun = time.monotonic()
    findings: dict[str, Findings] = {}
    with tempfile.TemporaryDirectory() as folder, telling(console) as tell:
        extent = QUICK if quick else FULL
        ground = Ground(path, Path(folder), cache, extent, tell)
        for name in (name for name in PARTS if not only or name in only):
            findings[name] = asyncio.run(_run(name, ground))
    file = out / ("training.quick.json" if quick else "training.json")
    _write(file, findings, path.name)
    figures = {key: value for found in findings.values() for key, value in found.figures.items()}
    console.print(marks_table(MARKS, figures))
    for note in (note for found in findings.values() for note in found.notes):
        console.print(f"note: {note}", markup=False, highlight=False)
    console.print(f"{file} written after {time.monotonic() - begun:.0f} s", highlight=False)


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
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLES)(main)
    app()
