"""The serving benchmark: `python -m benchmarks.serving`.

Everything compared is measured in one run on one machine: same GGUF, same adapters, same token ids,
same client code, rounds in turn. Results are `serving.json` and `serving.png`; a quick or partial
run has its own file names, so that these two always tell of a whole run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.console import marks_table, telling
from benchmarks.errors import BenchmarkError
from benchmarks.machine import CACHE, CORES, cpu_model, use_cores
from benchmarks.serving import plot, report
from benchmarks.serving.cast import Adapters, open_base
from benchmarks.serving.marks import MARKS
from benchmarks.serving.peers import llama_server as llama_server_peer
from benchmarks.serving.scenarios import SCENARIOS
from benchmarks.serving.stage import FULL, QUICK, Outcome, Stage
from npc_server.base_models import catalogue

console = Console()


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds and sessions.")] = False,
    base: Annotated[
        str, typer.Option(help="GGUF file or catalogue name.")
    ] = catalogue.DEFAULT_MODEL,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Repeatable; one of: {', '.join(SCENARIOS)}.", metavar="SCENARIO"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where results go.")] = Path("benchmarks/results"),
    llama_server: Annotated[
        Path | None, typer.Option(help="The peer's program; default: the one on the PATH.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Base models.")] = CACHE,
) -> None:
    """Measure the server beside its peers."""
    names = _chosen(only)
    path = catalogue.resolve(base, cache)
    program = llama_server or _found("llama-server")
    use_cores(CORES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no peer outlives us
    begun = time.monotonic()
    with _stage(path, cache, program, quick) as stage:
        outcomes = {name: asyncio.run(_run(name, stage)) for name in names}
        setting = report.Setting(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            base=path.name,
            base_sha256=stage.base.sha256,
            llama_server=llama_server_peer.version(program) if program else "",
            seconds=round(time.monotonic() - begun),
            size=stage.size,
            environment=_environment(os.environ),
        )
    stem = out / _file_stem(quick, names)
    report.write(Path(f"{stem}.json"), setting, outcomes)
    title = f"{cpu_model()}, {CORES} cores, {path.name}"
    plot.draw(Path(f"{stem}.png"), outcomes, title)
    console.print(marks_table(MARKS, report.figures(outcomes)))
    for note in (note for outcome in outcomes.values() for note in outcome.notes):
        console.print(f"note: {note}", markup=False, highlight=False)
    console.print(f"{stem}.json written after {setting.seconds:.0f} s", highlight=False)


def _chosen(only: Sequence[str] | None) -> list[str]:
    if unknown := set(only or ()) - SCENARIOS.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(SCENARIOS)}")
    return [name for name in SCENARIOS if not only or name in only]


def _found(program: str) -> Path | None:
    path = shutil.which(program)
    return Path(path) if path else None


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    heeded = ("NPC_", "GOMP_", "OMP_", "LLAMA_", "GGML_")
    return {name: value for name, value in variables.items() if name.startswith(heeded)}


@contextmanager
def _stage(base: Path, cache: Path, llama_server: Path | None, quick: bool) -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory(prefix="troupe-benchmark-") as folder,
        telling(console) as tell,
    ):
        opened, scratch = open_base(base), Path(folder)
        adapters = Adapters(scratch / "adapters", opened)
        size = QUICK if quick else FULL
        yield Stage(opened, adapters, scratch, cache, size, llama_server, tell)


async def _run(name: str, stage: Stage) -> Outcome:
    def tell(what: str, done: int, total: int) -> None:
        stage.tell(f"{name}: {what}", done, total)

    begun = time.monotonic()
    try:
        outcome = await SCENARIOS[name](replace(stage, tell=tell))
    except BenchmarkError as error:
        outcome = Outcome({}, notes=[f"{name} broke off: {error}"])
    console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    return outcome


def _file_stem(quick: bool, names: Sequence[str]) -> str:
    part = "" if len(names) == len(SCENARIOS) else "." + "+".join(names)
    return f"serving{'.quick' if quick else ''}{part}"


if __name__ == "__main__":
    typer.run(main)
