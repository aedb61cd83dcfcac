"""The trainer's process and command line: `npc train` starts it.

    python -m trainer.worker mira --base model.gguf --store feedback.db --adapters adapters/ ...

Exit codes: 0 published or promoted (with --readiness: ready), 1 the gate rejected, 3 something is
missing: feedback, a file, a character.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from feedback_store.errors import FeedbackStoreError
from npc_server.engine.errors import EngineError
from personas.errors import PersonasError
from trainer import gate, policy
from trainer.errors import MissingLibraryError, TrainerError
from trainer.job import Job
from trainer.job import readiness as readiness_of
from trainer.progress import Progress

DONE, REJECTED, MISSING = 0, 1, 3
_EXIT_OF = {
    "ready": DONE,
    "promoted": DONE,
    "published": DONE,
    "rejected": REJECTED,
    "waiting": MISSING,
}
_SIDES = tuple(  # of a snapshot
    f"{side}_{rows}"
    for side in ("train", "held_out")
    for rows in ("pairs", "labels", "edits", "prompts")
)


def main(
    character: Annotated[str, typer.Argument(help="Character id, such as mira.")],
    base: Annotated[Path, typer.Option(hidden=True)],
    characters: Annotated[Path, typer.Option(hidden=True)],
    store: Annotated[Path, typer.Option(hidden=True)],
    adapters: Annotated[Path, typer.Option(hidden=True)],
    cache: Annotated[Path, typer.Option(hidden=True)],
    promote: Annotated[
        bool, typer.Option(help="Make the version live once it is published.")
    ] = True,
    readiness: Annotated[
        bool, typer.Option("--readiness", help="Only tell whether there is enough feedback.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Retrain one character from its players' feedback, behind a gate."""
    console = Console(stderr=as_json)
    job = Job(character, base, characters, store, adapters, cache)
    try:
        report = _readiness(job) if readiness else _retrain(job, promote, console)
    except (TrainerError, PersonasError, FeedbackStoreError, EngineError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(MISSING) from error
    if as_json:
        print(json.dumps(report))
    else:
        console.print(f"{report['state']}: {report['reason']}", markup=False, highlight=False)
    raise typer.Exit(_EXIT_OF[report["state"]])


def _readiness(job: Job) -> dict[str, Any]:
    snapshot, decision = readiness_of(job)
    return {
        "state": "ready" if isinstance(decision, policy.Plan) else "waiting",
        "reason": decision.reason,
        "missing": [asdict(short) for short in _missing(decision)],
        **{name: len(getattr(snapshot, name)) for name in _SIDES},
        "dropped": dict(snapshot.dropped),
        "discounted_players": snapshot.discounted_players,
        "discounted_rows": snapshot.discounted_rows,
    }


def _missing(decision: policy.Plan | policy.Wait) -> tuple[policy.Shortage, ...]:
    return decision.missing if isinstance(decision, policy.Wait) else ()


def _retrain(job: Job, promote: bool, console: Console) -> dict[str, Any]:
    retrain = _load_libraries()

    _show_readiness(job, console)
    with _bars(console) as tell:
        outcome = retrain.run(job, promote, tell)
    if outcome.verdict is not None:
        console.print(_gate_table(outcome.verdict))
    report: dict[str, Any] = {
        "state": outcome.state.value,
        "reason": outcome.reason,
        "version": outcome.version,
    }
    if outcome.trained is not None:
        report |= {"steps": outcome.trained.steps, "train_s": round(outcome.trained.train_s, 1)}
    if outcome.verdict is not None:
        report["gate"] = [asdict(row) for row in outcome.verdict.rows]
    return report


def _load_libraries() -> ModuleType:
    """The pipeline, with the model libraries it needs: seconds, so not for --help."""
    # The libraries' notes to their own developers stay out of the progress display.
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        from trainer import retrain
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f"training needs {error.name}, which is not installed: pip install 'troupe[train]'"
        ) from error
    return retrain


def _show_readiness(job: Job, console: Console) -> None:
    snapshot, _ = readiness_of(job)
    console.print(
        f"{job.character}: {len(snapshot.train_pairs)} pairs to train on, "
        f"{len(snapshot.held_out_pairs)} held out, from {len(snapshot.players)} players; "
        f"snapshot {snapshot.hash[:12]}",
        highlight=False,
    )
    if snapshot.dropped:
        dropped = ", ".join(f"{count} {why}" for why, count in sorted(snapshot.dropped.items()))
        console.print(f"left out: {dropped}", style="dim", highlight=False)


@contextmanager
def _bars(console: Console) -> Iterator[Callable[[str, Progress], None]]:
    """A bar for each stage, made when the stage first reports."""
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    stages: dict[str, TaskID] = {}
    with Bars(*columns, console=console) as bars:

        def tell(stage: str, progress: Progress) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=progress.total_steps, note="")
            note = _note(progress)
            bars.update(
                stages[stage], completed=progress.step, total=progress.total_steps, note=note
            )

        yield tell


def _note(progress: Progress) -> str:
    loss = "" if progress.loss is None else f"loss {progress.loss:.3f}"
    left = f"{progress.seconds_left:.0f} s left" if progress.seconds_left >= 1 else ""
    return "  ".join(part for part in (loss, left) if part)


def _gate_table(verdict: gate.Verdict) -> Table:
    table = Table("gate", "incumbent", "candidate", "rule", "", title="Gate")
    for row in verdict.rows:
        mark = "[green]pass[/green]" if row.passed else "[red]FAIL[/red]"
        rule = f"{row.rule} ({row.note})" if row.note else row.rule
        table.add_row(row.name, _number(row.incumbent), _number(row.candidate), rule, mark)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(epilog="Example:  npc train mira --no-promote")(main)
    app(prog_name="npc train")
