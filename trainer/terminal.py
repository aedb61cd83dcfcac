"""What the trainer's processes have in common: options, priority, progress bars, a report, an exit
code.

Exit codes: 0 done, 1 rejected or failed, 2 a setting is wrong, 3 something is missing: feedback,
a file, a character; 130 stopped by SIGTERM or Ctrl-C, to be continued when started again.
"""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from feedback_store.errors import FeedbackStoreError
from npc_server.engine.errors import EngineError
from personas.errors import CharacterTooLargeError, PersonasError
from trainer import parent, priority
from trainer.errors import (
    ClaimedError,
    ConfigError,
    MissingLibraryError,
    MissingStoreError,
    TrainerError,
    TrainingError,
)
from trainer.progress import Progress, Tell
from trainer.recipes import recipe

DONE, REJECTED, USAGE, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
NOT_NOW = (MissingStoreError, ClaimedError)  # nothing is wrong, and nothing can be done
STOPPED = "stopped; start training again to continue"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_EXIT_OF = {
    "ready": DONE,
    "promoted": DONE,
    "passed": DONE,
    "published": DONE,
    "rejected": REJECTED,
    "failed": REJECTED,
    "abandoned": REJECTED,
    "waiting": MISSING,
}

# Options

ChatTemplate = Annotated[
    Path | None, typer.Option(help="A file in place of the base's own template.")
]
Settings = Annotated[str, typer.Option(help="Tables of npc.toml as JSON.")]
Background = Annotated[bool, typer.Option("--background", help="Run at the lowest priority.")]
StartedBy = Annotated[
    int, typer.Option(help="Id of the parent process, to end with it; 0 = do not.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

Report = Mapping[str, Any]  # at least `state` and `reason`; printed as JSON if `as_json`
Work = Callable[[Console, "InterruptOnce"], Report]


@dataclass(frozen=True)
class ProcessOptions:
    """How a process runs and reports."""

    background: bool  # run at the lowest priority
    started_by: int  # process id; end when that process ends; 0 = do not watch
    as_json: bool
    errors_as_json: bool  # print a JSON report even when the work failed early


def run_process(main: Callable[..., None], command: str, example: str) -> None:
    """Read the options of this process and run its `main`; `command`: what a person typed."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(epilog=f"Example:  {example}")(main)
    app(prog_name=command)


def carry_out(work: Work, settings: Mapping[str, Any], options: ProcessOptions) -> NoReturn:
    """Do the work within the limits of the `[night]` table, report, and exit."""
    console = Console(stderr=options.as_json)
    interrupt = InterruptOnce()
    if options.started_by:
        parent.end_with(options.started_by)
    try:
        _apply_limits(settings, options)
        report = work(console, interrupt)
    except (TrainerError, PersonasError, FeedbackStoreError, EngineError) as error:
        _complain(error, console, options)
        raise typer.Exit(_exit_of(error)) from error
    except KeyboardInterrupt:
        console.print(STOPPED)
        if options.as_json:
            print(json.dumps({"state": "unfinished", "reason": STOPPED, "version": ""}))
        raise typer.Exit(INTERRUPTED) from None
    _show(report, console, options)
    raise typer.Exit(_EXIT_OF[report["state"]])


@contextmanager
def training_libraries() -> Iterator[None]:
    """Wrap imports of modules that need a model library. Raises MissingLibraryError."""
    # The libraries' notes to their developers would break the progress display.
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f"training needs {error.name}, which is not installed: pip install 'troupe[train]'"
        ) from error


def _apply_limits(settings: Mapping[str, Any], options: ProcessOptions) -> None:
    if options.background:
        priority.yield_to_others()
    priority.keep_to(recipe.read_night(settings).upkeep.threads)


def _complain(error: Exception, console: Console, options: ProcessOptions) -> None:
    console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
    if options.errors_as_json:
        state = "waiting" if isinstance(error, NOT_NOW) else "failed"
        print(json.dumps({"state": state, "reason": str(error), "version": ""}))


def _exit_of(error: Exception) -> int:
    if isinstance(error, (ConfigError, CharacterTooLargeError)):
        return USAGE
    return REJECTED if isinstance(error, TrainingError) else MISSING


def _show(report: Report, console: Console, options: ProcessOptions) -> None:
    if options.as_json:
        print(json.dumps(report))
        return
    line = f"{report['state']}: {report['reason']}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


class InterruptOnce:
    """Raises KeyboardInterrupt at the first of the stop signals; the cleanup is not interrupted."""

    def __init__(self) -> None:
        self._signalled = False
        for number in STOP_SIGNALS:  # both come at once when Ctrl-C is pressed
            signal.signal(number, self._interrupt)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if not self._signalled:
            self._signalled = True
            raise KeyboardInterrupt

    def check(self) -> None:
        """Interrupt again: an interrupt that is raised in a destructor is lost there."""
        if self._signalled:
            raise KeyboardInterrupt


@contextmanager
def bars(console: Console, interrupt: InterruptOnce) -> Iterator[Tell]:
    """Show a bar per stage, from the stage's first report, and stop there once asked to."""
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
            interrupt.check()
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
