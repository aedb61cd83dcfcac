"""What a course leaves on the disk after each evening and each night.

A stage is a folder that begins as a copy of the one before it and has its name only when it is
done. So a run that was broken off repeats one evening or night at most, more nights can be asked
for later, and all methods learn from one first evening: the same players said the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.learning.experiment import Experiment


@dataclass(frozen=True)
class Stages:
    """Where the stages of an experiment lie."""

    folder: Path  # of all experiments
    experiment: Experiment

    def evening(self, number: int) -> Path:
        """After the play of an evening; the first one is the same for all methods."""
        one = self.experiment
        method = one.method if number > 1 else "any"
        return self.folder / one.taste / one.kind / method / f"evening-{number}"

    def morning(self, number: int) -> Path:
        """After the night that follows it."""
        return self.folder / self.experiment.name / f"morning-{number}"

    def clear(self) -> None:
        """Remove all but the first evening: what follows belongs to a course that is not known."""
        shutil.rmtree(self.folder / self.experiment.name, ignore_errors=True)


@contextmanager
def stage(done: Path, before: Path | None) -> Iterator[Path]:
    """A folder to work in, which becomes `done` when the block ends well; None = from nothing."""
    shutil.rmtree(done, ignore_errors=True)
    working = done.with_name(f"{done.name}.part")
    shutil.rmtree(working, ignore_errors=True)
    if before is None:
        working.mkdir(parents=True)
    else:
        shutil.copytree(before, working)
    yield working
    working.rename(done)
