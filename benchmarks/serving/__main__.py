"""The serving benchmark: `python -m benchmarks.serving`.

Everything compared is measured in one run on one machine: same GGUF, same adapters, same token ids,
same client code, rounds in turn. Results are `serving.json` and `serving.png`; a quick or partial
run has its own file names, so that these two are always of a whole run.
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

from benchmarks import options
from benchmarks.console import marks_table, prefixed, progress_line
from benchmarks.errors import BenchmarkError
from benchmarks.machine import CORES, cpu_kind, cpu_model, use_cores
from benchmarks.serving import plot, report
from benchmarks.serving.cast import Adapters, open_base
from benchmarks.serving.figures import marks_on
from benchmarks.serving.peers import llama_server as llama_server_peer
from benchmarks.serving.scenarios import SCENARIOS
from benchmarks.serving.workspace import FULL, QUICK, ScenarioResult, Workspace
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.base_models.resolution import ModelPlaces, resolve

console = Console()


def main(
    quick: options.Quick = False,
    base: options.Base = DEFAULT_MODEL,
    only: Annotated[list[str] | None, options.only(SCENARIOS, "SCENARIO")] = None,
    out: options.Out = options.RESULTS,
    llama_server: Annotated[
        Path | None, typer.Option(help="Program of that peer; the one on the PATH when left out.")
    ] = None,
    cache: options.Cache = options.CACHE,
) -> None:
    """Measure the server beside its peers."""
    names = options.choose(only, SCENARIOS)
    path = resolve(base, ModelPlaces(cache))
    program = llama_server or _on_path("llama-server")
    use_cores(CORES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that peers end with us
    begun = time.monotonic()
    with _workspace(path, cache, program, quick) as workspace:
        results = {name: asyncio.run(_run(name, workspace)) for name in names}
        setting = report.Setting(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            base=path.name,
            base_sha256=workspace.base.sha256,
            llama_server=llama_server_peer.version(program) if program else "",
            seconds=round(time.monotonic() - begun),
            size=workspace.extent,
            environment=_environment(os.environ),
            cpu_kind=cpu_kind(),
        )
    stem = out / _file_stem(quick, names)
    report.write(Path(f"{stem}.json"), setting, results)
    title = f"{cpu_model()} ({setting.cpu_kind}), {CORES} cores, {path.name}"
    plot.draw(Path(f"{stem}.png"), results, title)
    console.print(f"marks are those for: {setting.cpu_kind}", highlight=False)
    console.print(marks_table(marks_on(setting.cpu_kind), report.figures(results)))
    for note in (note for result in results.values() for note in result.notes):
        console.print(f"note: {note}", markup=False, highlight=False)
    console.print(f"{stem}.json written after {setting.seconds:.0f} s", highlight=False)


def _on_path(program: str) -> Path | None:
    path = shutil.which(program)
    return Path(path) if path else None


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    heeded = ("NPC_", "GOMP_", "OMP_", "LLAMA_", "GGML_")
    return {name: value for name, value in variables.items() if name.startswith(heeded)}


@contextmanager
def _workspace(
    base: Path, cache: Path, llama_server: Path | None, quick: bool
) -> Iterator[Workspace]:
    with (
        tempfile.TemporaryDirectory(prefix="troupe-benchmark-") as folder,
        progress_line(console) as tell,
    ):
        opened, scratch = open_base(base), Path(folder)
        adapters = Adapters(scratch / "adapters", opened)
        size = QUICK if quick else FULL
        yield Workspace(opened, adapters, scratch, cache, size, llama_server, tell)


async def _run(name: str, workspace: Workspace) -> ScenarioResult:
    begun = time.monotonic()
    try:
        result = await SCENARIOS[name](replace(workspace, tell=prefixed(name, workspace.tell)))
    except BenchmarkError as error:
        result = ScenarioResult({}, notes=[f"{name} broke off: {error}"])
    console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    return result


def _file_stem(quick: bool, names: Sequence[str]) -> str:
    part = "" if len(names) == len(SCENARIOS) else "." + "+".join(names)
    return f"serving{'.quick' if quick else ''}{part}"


if __name__ == "__main__":
    typer.run(main)
