"""The trainer's process and command line: `npc train` starts it.

    python -m trainer.worker mira --base model.gguf --store feedback.db --adapters adapters/ ...

Exit codes: 0 published or promoted (with --readiness: ready), 1 the gate rejected or the run broke
off, 2 a setting is wrong, 3 something is missing: feedback, a file, a character, 130 stopped by
SIGTERM or Ctrl-C: the run is continued when training is started again.
"""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from feedback_store.errors import FeedbackStoreError
from feedback_store.selection import Snapshot
from npc_server.engine.errors import EngineError
from personas.errors import PersonasError
from trainer import parent, priority
from trainer.errors import (
    ClaimedError,
    ConfigError,
    MissingLibraryError,
    MissingStoreError,
    TrainerError,
)
from trainer.nightly import policy, recipe
from trainer.nightly.job import Job
from trainer.nightly.job import readiness as readiness_of
from trainer.nightly.run_tables import gate_table
from trainer.progress import Progress

if TYPE_CHECKING:
    from trainer.nightly.retrain import Outcome

DONE, REJECTED, USAGE, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
NOT_NOW = (MissingStoreError, ClaimedError)  # nothing is wrong, and nothing can be done
STOPPING = (signal.SIGTERM, signal.SIGINT)
STOPPED = "stopped; the run is continued when training is started again"
_EXIT_OF = {
    "ready": DONE,
    "promoted": DONE,
    "published": DONE,
    "rejected": REJECTED,
    "failed": REJECTED,
    "abandoned": REJECTED,
    "waiting": MISSING,
}
_SIDES = tuple(  # of a snapshot
    f"{side}_{rows}"
    for side in ("train", "held_out")
    for rows in ("pairs", "labels", "edits", "prompts")
)


@dataclass(frozen=True)
class Order:
    """What the trainer was started for."""

    job: Job
    settings: dict[str, Any]  # the tables of npc.toml, as they were written
    method: str  # "" = as the settings say
    promote: bool


def main(
    character: Annotated[str, typer.Argument(help="Character id, such as mira.")],
    base: Annotated[Path, typer.Option()],
    characters: Annotated[Path, typer.Option()],
    store: Annotated[Path, typer.Option()],
    adapters: Annotated[Path, typer.Option()],
    heads: Annotated[Path, typer.Option()],
    cache: Annotated[Path, typer.Option()],
    runs: Annotated[Path, typer.Option()],
    settings: Annotated[str, typer.Option(help="Tables of npc.toml as JSON.")] = "{}",
    method: Annotated[str, typer.Option(help="Instead of what the settings say.")] = "",
    promote: Annotated[
        bool, typer.Option(help="Make the version live once it is published.")
    ] = True,
    background: Annotated[
        bool, typer.Option("--background", help="Leave the cores to whoever else wants them.")
    ] = False,
    started_by: Annotated[
        int, typer.Option(help="Process to end with, its parent; 0 = with nobody.")
    ] = 0,
    readiness: Annotated[
        bool, typer.Option("--readiness", help="Only tell whether there is enough feedback.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Retrain one character from its players' feedback, behind a gate."""
    console = Console(stderr=as_json)
    job = Job(character, base, characters, store, adapters, heads, cache, runs)
    order = Order(job, json.loads(settings), method, promote)
    brake = _Brake()
    if started_by:
        parent.end_with(started_by)
    try:
        _lower_priority(order, background)
        report = _readiness(order) if readiness else _retrain(order, console, brake)
    except (TrainerError, PersonasError, FeedbackStoreError, EngineError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        if as_json and not readiness:
            state = "waiting" if isinstance(error, NOT_NOW) else "failed"
            print(json.dumps({"state": state, "reason": str(error), "version": ""}))
        raise typer.Exit(USAGE if isinstance(error, ConfigError) else MISSING) from error
    except KeyboardInterrupt:
        console.print(STOPPED)
        if as_json:
            print(json.dumps({"state": "unfinished", "reason": STOPPED, "version": ""}))
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print(json.dumps(report))
    else:
        console.print(
            f"{report['state']}: {report['reason']}", markup=False, highlight=False, soft_wrap=True
        )
    raise typer.Exit(_EXIT_OF[report["state"]])


class _Brake:
    """Interrupts the work when the process is told to end: once, so that the end is orderly."""

    def __init__(self) -> None:
        self._pulled = False
        for number in STOPPING:  # both come at once when Ctrl-C is pressed
            signal.signal(number, self._pull)

    def _pull(self, _number: int, _frame: FrameType | None) -> None:
        if not self._pulled:
            self._pulled = True
            raise KeyboardInterrupt

    def check(self) -> None:
        """Interrupt again: an interrupt that falls into a destructor is lost there."""
        if self._pulled:
            raise KeyboardInterrupt


def _lower_priority(order: Order, background: bool) -> None:
    if background:
        priority.yield_to_others()
    priority.keep_to(recipe.read_night(order.settings).upkeep.threads)


def _readiness(order: Order) -> dict[str, Any]:
    snapshot, decision = _ready(order)
    return {
        "state": "ready" if isinstance(decision, policy.Plan) else "waiting",
        "reason": decision.reason,
        "missing": [asdict(short) for short in _missing(decision)],
        **{name: len(getattr(snapshot, name)) for name in _SIDES},
        "dropped": dict(snapshot.dropped),
        "discounted_players": snapshot.discounted_players,
        "discounted_rows": snapshot.discounted_rows,
    }


def _ready(order: Order) -> tuple[Snapshot, policy.Plan | policy.Wait]:
    thresholds = recipe.read_night(order.settings).policy
    method = recipe.written_method(order.settings, order.job.character)
    return readiness_of(order.job, thresholds, method)


def _missing(decision: policy.Plan | policy.Wait) -> tuple[policy.Shortage, ...]:
    return decision.missing if isinstance(decision, policy.Wait) else ()


def _retrain(order: Order, console: Console, brake: _Brake) -> dict[str, Any]:
    retrain, teachings, reward_head = _load_libraries()
    how = recipe.read(
        order.settings,
        order.job.character,
        {method: teaching.config for method, teaching in teachings.TEACHINGS.items()},
        reward_head.Config,
        order.method,
    )
    _show_readiness(order, console)
    with _bars(console) as show:

        def tell(stage: str, progress: Progress) -> None:
            brake.check()
            show(stage, progress)

        outcome = retrain.run(order.job, how, order.promote, tell)
    if outcome.verdict is not None:
        console.print(gate_table(outcome.verdict))
    return _report(order.job.character, outcome)


def _report(character: str, outcome: Outcome) -> dict[str, Any]:
    report: dict[str, Any] = {
        "character": character,
        "state": outcome.state.value,
        "reason": outcome.reason,
        "version": outcome.version,
    }
    if outcome.run is not None:
        report |= {"run": outcome.run.number, "report": str(outcome.run.report)}
    if outcome.trained is not None:
        report |= {"steps": outcome.trained.steps, "train_s": round(outcome.trained.train_s, 1)}
    if outcome.verdict is not None:
        report["gate"] = [asdict(row) for row in outcome.verdict.rows]
    return report


def _load_libraries() -> tuple[ModuleType, ModuleType, ModuleType]:
    """The pipeline, methods and reward head: seconds for their libraries, so not for --help."""
    # The libraries' notes to their own developers stay out of the progress display.
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        from trainer.heads import reward_head
        from trainer.methods import teachings
        from trainer.nightly import retrain
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f"training needs {error.name}, which is not installed: pip install 'troupe[train]'"
        ) from error
    return retrain, teachings, reward_head


def _show_readiness(order: Order, console: Console) -> None:
    snapshot, _ = _ready(order)
    console.print(
        f"{order.job.character}: {len(snapshot.train_pairs)} pairs to train on, "
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


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(epilog="Example:  npc train mira --no-promote")(main)
    app(prog_name="npc train")
