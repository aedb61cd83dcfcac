"""What an experiment leaves on the disk after each evening of play and each night.

A checkpoint is a folder that begins as a copy of the one before it and has its name only when it
is done. So a run that was broken off repeats one evening or night at most, more nights can be asked
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
class Checkpoints:
    """Where the checkpoints of an experiment lie."""

    folder: Path  # of all experiments
    experiment: Experiment

    def after_play(self, number: int) -> Path:
        """After the play of an evening; the first one is the same for all methods."""
        one = self.experiment
        method = one.method if number > 1 else "any"
        return self.folder / one.taste / one.kind / method / f"evening-{number}"

    def after_night(self, number: int) -> Path:
        """After the night that follows it."""
        return self.folder / self.experiment.name / f"morning-{number}"

    def clear(self) -> None:
        """Remove all but the first evening: what follows belongs to an unknown result."""
        shutil.rmtree(self.folder / self.experiment.name, ignore_errors=True)


@contextmanager
def make_checkpoint(done: Path, before: Path | None) -> Iterator[Path]:
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
