"""What a benchmark shows in the terminal: its progress, and its figures beside their marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from benchmarks.marks import Mark, passed
from benchmarks.measures import Estimate

#: Called with (what is done, steps so far, steps in all).
Tell = Callable[[str, int, int], None]

_VERDICTS = {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}


@contextmanager
def progress_line(console: Console) -> Iterator[Tell]:
    """A progress line for the length of the block."""
    columns = (TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total
        )


def prefixed(name: str, tell: Tell) -> Tell:
    """The same, with a name before what is done."""
    return lambda what, done, total: tell(f"{name}: {what}", done, total)


def marks_table(marks: Sequence[Mark], found: Mapping[str, Estimate]) -> Table:
    """Figures beside what they are to reach."""
    table = Table(Column("figure", no_wrap=True), "value", "spread", "mark", "", box=None)
    for mark in marks:
        if figure := found.get(mark.key):
            spread = f"{figure.low:.2f} to {figure.high:.2f}"
            verdict = _VERDICTS[passed(mark, figure)]
            table.add_row(mark.key, f"{figure.value:.2f}", spread, mark.bound, verdict)
        else:
            table.add_row(mark.key, "", "", mark.bound, "not measured")
    return table
