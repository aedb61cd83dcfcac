"""The record of every run: a folder per run, a file per finished stage, whole or absent.

    <root>/0007-mira/job.json        what the run was begun on; written last when the run is begun
                     snapshot.json   the frozen rows: players' words, gone when the run ends
                     checkpoints/    of the training
                     candidate/      the trained adapter's two files
                     head/           the reward head that the examination asked
                     attempts        a byte per start that did not end in an orderly way
                     trained.json  headed.json  measured.json  verdict.json  published.json
                     run.json        how it ended; written last of all
                     report.html     the same for people

A file means that its stage is finished, so a killed run continues at the first missing one. A
folder without job.json never began. One process at a time writes to a character's runs
(`job.claim`); numbers are given out under a lock of their own and never used again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from feedback_store import frozen_snapshots
from feedback_store.errors import FeedbackStoreError
from feedback_store.publishing import publish
from personas.errors import PersonasError, brief
from personas.known_names import no_such
from trainer.errors import RecordError, TrainerError, UnknownRunError
from trainer.records.entries import FILES, Ending, Entry, Terms

_NAME = re.compile(r"([0-9]{4,9})-(.+)")


EntryT = TypeVar("EntryT")


@dataclass(frozen=True)
class Run:
    """The folder of one run."""

    number: int
    character: str
    folder: Path

    @property
    def snapshot(self) -> Path:
        """The frozen rows."""
        return self.folder / frozen_snapshots.FILE

    @property
    def checkpoints(self) -> Path:
        """The folder that training resumes from."""
        return self.folder / "checkpoints"

    @property
    def candidate(self) -> Path:
        """The trained adapter."""
        return self.folder / "candidate"

    @property
    def head(self) -> Path:
        """The trained reward head."""
        return self.folder / "head"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.folder / "report.html"

    def count_attempt(self) -> int:
        """Count this start, durably; return the number of starts. Raises OSError."""
        with (self.folder / "attempts").open("ab") as file:
            file.write(b".")
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def forget_attempt(self) -> None:
        """Do not count this start: it was stopped on purpose, not killed. Raises OSError."""
        with (self.folder / "attempts").open("ab") as file:
            file.truncate(max(0, file.tell() - 1))

    def write(self, entry: Entry) -> None:
        """Record a finished stage, durably. Raises OSError."""
        plain = TypeAdapter(type(entry)).dump_python(entry, mode="json")
        # Python's JSON, unlike pydantic's, keeps a loss of NaN.
        self.write_text(FILES[type(entry)], json.dumps(plain, indent=1) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the folder, whole or not at all. Raises OSError."""
        beside = self.folder / f".{name}"
        beside.write_text(text, encoding="utf-8")
        publish(beside, self.folder / name)

    def find(self, kind: type[EntryT]) -> EntryT | None:
        """Read a stage's entry; None when it is not finished. Raises RecordError."""
        file = self.folder / FILES[kind]
        try:
            return TypeAdapter(kind).validate_python(json.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:  # JSON's and the schema's
            raise RecordError(f"{file} cannot be read: {brief(error)}") from error

    def read(self, kind: type[EntryT]) -> EntryT:
        """Read a finished stage's entry. Raises RecordError when there is none."""
        found = self.find(kind)
        if found is None:
            raise RecordError(f"{self.folder / FILES[kind]} is not there")
        return found

    def legible(self, kind: type[EntryT]) -> EntryT | None:
        """Read a stage's entry; None also when it is unreadable, e.g. of another release."""
        try:
            return self.find(kind)
        except RecordError:
            return None


def begin(root: Path, character: str) -> Run:
    """Make a folder with the next number. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        number = 1 + max((run.number for run in every(root)), default=0)
        folder = root / f"{number:04d}-{character}"
        folder.mkdir()
    return Run(number, character, folder)


def every(root: Path, character: str | None = None) -> list[Run]:
    """List the runs that have a folder, of one character or of all, oldest first."""
    entries = root.iterdir() if root.is_dir() else ()
    named = ((entry, _NAME.fullmatch(entry.name)) for entry in entries if entry.is_dir())
    runs = [Run(int(match[1]), match[2], folder) for folder, match in named if match]
    of_character = [run for run in runs if character in (None, run.character)]
    return sorted(of_character, key=lambda run: run.number)


def by_number(root: Path, number: int) -> Run:
    """Find one run. Raises UnknownRunError."""
    known = {run.number: run for run in every(root)}
    if number not in known:
        raise UnknownRunError(no_such("run", number, known))
    return known[number]


def every_begun(root: Path, character: str) -> list[Run]:
    """List a character's runs that began, oldest first."""
    return [run for run in every(root, character) if (run.folder / FILES[Terms]).is_file()]


def every_unfinished(root: Path, character: str) -> list[Run]:
    """List a character's runs that began and did not end, oldest first."""
    return [run for run in every_begun(root, character) if not has_ended(run)]


def has_ended(run: Run) -> bool:
    """Whether its ending is recorded, readable or not."""
    return (run.folder / FILES[Ending]).exists()


def sweep(root: Path, character: str) -> None:
    """Remove what killed runs left: folders that never began, and rows of runs that ended.

    The caller holds the character's claim, so no other process writes to these folders.
    """
    begun = {run.number for run in every_begun(root, character)}
    for run in every(root, character):
        if run.number not in begun:
            shutil.rmtree(run.folder, ignore_errors=True)
        elif has_ended(run):
            clear(run)


def clear(run: Run) -> None:
    """Remove what only an unfinished run needs: players' words and checkpoints."""
    run.snapshot.unlink(missing_ok=True)
    shutil.rmtree(run.checkpoints, ignore_errors=True)


@contextmanager
def name_disk_errors(what: str) -> Iterator[None]:
    """Raise a RecordError that names `what` was being written when the disk refuses."""
    try:
        yield
    except OSError as error:
        if isinstance(error, (TrainerError, PersonasError, FeedbackStoreError)):
            raise  # its message names what failed already
        raise RecordError(f"{what} could not be written: {error}") from error
