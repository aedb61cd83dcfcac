"""Benchmarks of several parts that are measured apart, into one result file.

A run of some parts replaces those in the file and leaves the others. Every ratio is of one part, so
of one run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.console import Console

from benchmarks.console import Tell, marks_table, prefixed
from benchmarks.errors import BenchmarkError
from benchmarks.machine import machine, versions
from benchmarks.marks import Mark, entry
from benchmarks.measures import Estimate
from benchmarks.results_file import replace_text

ExtentT = TypeVar("ExtentT")


@dataclass(frozen=True)
class Workspace(Generic[ExtentT]):
    """Where a part runs, and how much it measures."""

    base: Path  # GGUF
    scratch: Path
    cache: Path
    extent: ExtentT
    tell: Tell


@dataclass(frozen=True)
class PartResult:
    """What a part found."""

    figures: Mapping[str, Estimate]
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: Sequence[str] = ()


Part = Callable[[Workspace[ExtentT]], Awaitable[PartResult]]


async def run_part(
    name: str, part: Part[ExtentT], workspace: Workspace[ExtentT], console: Console
) -> PartResult:
    """Measure one part; one that broke off is a note."""
    begun = time.monotonic()
    try:
        result = await part(replace(workspace, tell=prefixed(name, workspace.tell)))
    except BenchmarkError as error:
        result = PartResult({}, notes=[f"{name} broke off: {error}"])
    console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    return result


def write(path: Path, results: Mapping[str, PartResult], marks: Sequence[Mark], base: Path) -> None:
    """Replace the parts that were measured; the others stay."""
    known = json.loads(path.read_text()) if path.is_file() else {}
    setting = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base.name,
        "machine": machine(),
        "versions": versions(),
    }
    parts = {name: setting | _samples(result) for name, result in results.items()}
    figures = figures_of(results)
    entries = {mark.key: entry(mark, figures[mark.key]) for mark in marks if mark.key in figures}
    content = {**known, **entries, "parts": known.get("parts", {}) | parts}
    replace_text(path, json.dumps(content, indent=1) + "\n")


def show(results: Mapping[str, PartResult], marks: Sequence[Mark], console: Console) -> None:
    """Print every figure beside its mark, then the notes."""
    console.print(marks_table(marks, figures_of(results)))
    for note in (note for result in results.values() for note in result.notes):
        console.print(f"note: {note}", markup=False, highlight=False)


def figures_of(results: Mapping[str, PartResult]) -> dict[str, Estimate]:
    """The figures of all parts."""
    return {key: value for result in results.values() for key, value in result.figures.items()}


def _samples(result: PartResult) -> dict[str, Any]:
    samples = {key: [round(v, 4) for v in values] for key, values in result.samples.items()}
    return {"samples": samples, "notes": list(result.notes)}
