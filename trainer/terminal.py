"""What the trainer's processes have in common: priority, bars, a report, and an orderly end.

Exit codes: 0 done, 1 rejected or broken off, 2 a setting is wrong, 3 something is missing:
feedback, a file, a character; 130 stopped by SIGTERM or Ctrl-C, continued when started again.
"""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from feedback_store.errors import FeedbackStoreError
from npc_server.engine.errors import EngineError
from personas.errors import PersonasError
from trainer import parent, priority
from trainer.errors import (
    ClaimedError,
    ConfigError,
    MissingLibraryError,
    MissingStoreError,
    TrainerError,
    TrainingError,
)
from trainer.progress import Progress
from trainer.recipes import recipe

DONE, REJECTED, USAGE, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
NOT_NOW = (MissingStoreError, ClaimedError)  # nothing is wrong, and nothing can be done
STOPPED = "stopped; it is continued when training is started again"
STOPPING = (signal.SIGTERM, signal.SIGINT)
_EXIT_OF = {
    "ready": DONE,
    "promoted": DONE,
    "published": DONE,
    "rejected": REJECTED,
    "failed": REJECTED,
    "abandoned": REJECTED,
    "waiting": MISSING,
}

Report = Mapping[str, Any]  # state and reason at least; printed as JSON when asked for
Work = Callable[[Console, "Brake"], Report]


@dataclass(frozen=True)
class Manner:
    """How a process works, and for whom."""

    background: bool  # leaves the cores to whoever else wants them
    started_by: int  # process to end with; 0 = with nobody
    as_json: bool
    errors_as_json: bool  # a report when there is nothing to report on, too


def carry_out(work: Work, settings: Mapping[str, Any], manner: Manner) -> NoReturn:
    """Do the work as the `[night]` table of the settings allows, report, and exit."""
    console = Console(stderr=manner.as_json)
    brake = Brake()
    if manner.started_by:
        parent.end_with(manner.started_by)
    try:
        _keep_back(settings, manner)
        report = work(console, brake)
    except (TrainerError, PersonasError, FeedbackStoreError, EngineError) as error:
        _complain(error, console, manner)
        raise typer.Exit(_exit_of(error)) from error
    except KeyboardInterrupt:
        console.print(STOPPED)
        if manner.as_json:
            print(json.dumps({"state": "unfinished", "reason": STOPPED, "version": ""}))
        raise typer.Exit(INTERRUPTED) from None
    _show(report, console, manner)
    raise typer.Exit(_EXIT_OF[report["state"]])


@contextmanager
def training_libraries() -> Iterator[None]:
    """Around imports of what needs them. Raises MissingLibraryError."""
    # The libraries' notes to their own developers stay out of the progress display.
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f"training needs {error.name}, which is not installed: pip install 'troupe[train]'"
        ) from error


def _keep_back(settings: Mapping[str, Any], manner: Manner) -> None:
    if manner.background:
        priority.yield_to_others()
    priority.keep_to(recipe.read_night(settings).upkeep.threads)


def _complain(error: Exception, console: Console, manner: Manner) -> None:
    console.print(str(error), style="red", markup=False, highlight=False)
    if manner.errors_as_json:
        state = "waiting" if isinstance(error, NOT_NOW) else "failed"
        print(json.dumps({"state": state, "reason": str(error), "version": ""}))


def _exit_of(error: Exception) -> int:
    if isinstance(error, ConfigError):
        return USAGE
    return REJECTED if isinstance(error, TrainingError) else MISSING


def _show(report: Report, console: Console, manner: Manner) -> None:
    if manner.as_json:
        print(json.dumps(report))
        return
    told = f"{report['state']}: {report['reason']}"
    console.print(told, markup=False, highlight=False, soft_wrap=True)


class Brake:
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


@contextmanager
def bars(console: Console) -> Iterator[Callable[[str, Progress], None]]:
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
