"""`python -m benchmarks.learning`: does the loop learn?

Simulated players of a stated taste play against a real server, a night of training follows, then
the next evening under the new version. Judges of the same taste, whom no training sees, ask
questions that no player asked, before and after. `judgement` says what the figures mean. Candidates
that the gate refuses are judged as well, apart from what went live.

Results are `learning.json` and `learning.png`, written after every night. With `--scratch`, a run
that was broken off goes on where it stopped, and nights can be added. A quick run has file names
of its own.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import options
from benchmarks.console import marks_table, progress_line
from benchmarks.errors import BenchmarkError
from benchmarks.learning import summary
from benchmarks.learning.experiment import (
    AUTO,
    FeedbackKind,
    TasteName,
    UnknownNameError,
    parse_counts,
    parse_names,
    plan,
)
from benchmarks.learning.figures import MARKS, figures
from benchmarks.learning.installation import CHARACTER, FULL, QUICK, Workspace
from benchmarks.learning.runner import Clock, ExperimentRunner
from benchmarks.machine import CORES, use_cores
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.base_models.resolution import ModelPlaces, resolve
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from trainer.methods.table import METHODS

console = Console()


def main(
    tastes: Annotated[
        str, typer.Option(help=f"Some of {', '.join(TasteName)}; all when left out.")
    ] = ",".join(TasteName),
    kinds: Annotated[
        str, typer.Option(help=f"Some of {', '.join(FeedbackKind)}.")
    ] = FeedbackKind.MIXED,
    methods: Annotated[
        str, typer.Option(help=f"Some of {AUTO}, {', '.join(METHODS)}; {AUTO} = the rows decide.")
    ] = AUTO,
    nights: Annotated[int, typer.Option(min=1, help="Nights in a row per experiment.")] = 3,
    rows: Annotated[
        str,
        typer.Option(help="Pairs to train the first taste on, as a series; empty = none."),
    ] = "12,24,48,96",
    budget_minutes: Annotated[
        float, typer.Option(help="Begin nothing that would end later; 0 = no limit.")
    ] = 0.0,
    again: Annotated[bool, typer.Option("--again", help="Repeat finished experiments.")] = False,
    quick: options.Quick = False,
    base: options.Base = DEFAULT_MODEL,
    out: options.Out = options.RESULTS,
    cache: options.Cache = options.CACHE,
    scratch: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps the data, so that nights can be added later;"
            " a temporary one when left out."
        ),
    ] = None,
) -> None:
    """Measure what nights of training teach, and what they cost."""
    try:
        wanted = plan(
            [TasteName(name) for name in parse_names(tastes, TasteName)],
            [FeedbackKind(name) for name in parse_names(kinds, FeedbackKind)],
            parse_names(methods, [AUTO, *METHODS]),
            nights,
        )
        parts = parse_counts(rows)
    except UnknownNameError as error:
        raise typer.BadParameter(str(error)) from error
    path = resolve(base, ModelPlaces(cache))
    use_cores(CORES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server outlives us
    stem = out / ("learning.quick" if quick else "learning")
    with _folder(scratch) as folder, progress_line(console) as tell:
        persona = load_character(SAMPLE_CHARACTERS / CHARACTER)
        extent = QUICK if quick else FULL
        workspace = Workspace(path, cache, folder, persona, extent, tell)
        try:
            runner = ExperimentRunner(workspace, stem, again, Clock(budget_minutes * 60), console)
        except BenchmarkError as error:
            raise typer.BadParameter(str(error)) from error
        asyncio.run(runner.run(wanted, parts))
    _show(runner)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.expanduser()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def _show(runner: ExperimentRunner) -> None:
    console.print(summary.table(runner.results))
    console.print(marks_table(MARKS, figures(list(runner.results.courses.values()))))
    for note in (*summary.rejections(runner.results), *runner.notes):
        console.print(f"note: {note}", markup=False, highlight=False)
    seconds = runner.clock.elapsed_s
    console.print(f"{runner.file} written after {seconds:.0f} s", highlight=False)


if __name__ == "__main__":
    typer.run(main)
