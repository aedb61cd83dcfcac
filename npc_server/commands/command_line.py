"""What the commands of `npc` share: consoles, common options, the configuration."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.text import Text

from npc_server.config import Config, load

if TYPE_CHECKING:
    from npc_server.base_models.own_process import Report

console = Console()
complaints = Console(stderr=True)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; ./npc.toml when there is one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def config_of(file: Path | None) -> Config:
    """The configuration as file and environment give it. Raises ConfigError."""
    return load(file, os.environ)


def say(text: str) -> None:
    """Print a text as it is, whatever it holds, to standard output."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """Print a text as it is, whatever it holds, to standard error."""
    complaints.print(text, markup=False, highlight=False, soft_wrap=True)


def confirm(yes: bool, question: str) -> None:
    """Ask, unless `yes` answers already; anything but a yes ends the command."""
    if not yes:
        typer.confirm(question, abort=True, err=True)


def plural(number: int, noun: str) -> str:
    """`1 line` or `2 lines`, of a noun whose plural ends in s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


_MIB = 1 << 20
_COUNTED_IN_BYTES = frozenset({"downloading", "unpacking", "checking"})


class _BytesColumn(ProgressColumn):
    """Of work that is counted in bytes: how many of how many, how quickly, how long it takes."""

    def render(self, task: Task) -> Text:
        if task.description not in _COUNTED_IN_BYTES or not task.total:
            return Text("")
        said = f"{task.completed / _MIB:,.0f} of {task.total / _MIB:,.0f} MiB"
        if task.speed:
            said += f", {task.speed / _MIB:,.1f} MiB/s"
        if task.time_remaining:
            said += f", {task.time_remaining:,.0f} s left"
        return Text(said)


@contextlib.contextmanager
def work_progress(shown_on: Console = console) -> Iterator[Report]:
    """Show a bar that follows what is reported, and remove it at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _BytesColumn(),
    )
    with Progress(*columns, console=shown_on, transient=True) as progress:
        task, before = progress.add_task("looking"), "looking"

        def report(what: str, done: int, total: int) -> None:
            nonlocal before
            if what != before:  # its speed is its own
                progress.reset(task)
                before = what
            progress.update(task, description=what, completed=done, total=total or None)

        yield report
