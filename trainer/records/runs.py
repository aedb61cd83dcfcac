"""The record of every run: a folder each, one file a finished stage, whole or not there.

    <root>/0007-mira/job.json        what the run was begun on; written last of the beginning
                     snapshot.json   the frozen rows: players' words, gone when the run ends
                     checkpoints/    of the training
                     candidate/      the trained adapter's two files
                     head/           the reward head that the examination asked
                     attempts        a byte for every start that was not stopped in an orderly way
                     trained.json  headed.json  measured.json  verdict.json  published.json
                     run.json        how it ended; written last of all
                     report.html     the same for people

A file that is there names a stage that is finished, so a killed run goes on at the first that is
missing. A folder without job.json never began. One process at a time writes to a character's
runs (`job.claim`); a number is taken under a lock of its own and belongs to one run for ever.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue, TypeAdapter

from feedback_store import frozen_snapshots
from feedback_store.errors import FeedbackStoreError
from feedback_store.publishing import publish
from personas.errors import PersonasError, brief
from trainer.errors import RecordError, TrainerError, UnknownRunError
from trainer.examination.samples import Sample
from trainer.gate import Measurements, Verdict
from trainer.heads.head_card import Card
from trainer.progress import RunResult

_NAME = re.compile(r"([0-9]{4,9})-(.+)")


class State(StrEnum):
    """How a job ended."""

    WAITING = "waiting"  # there is too little feedback, or nothing new; no run was begun
    REJECTED = "rejected"  # the gate said no
    PUBLISHED = "published"  # a new version exists and is not live
    PROMOTED = "promoted"  # a new version is live
    FAILED = "failed"  # it broke off; the incumbent stayed
    ABANDONED = "abandoned"  # what it was begun on changed before it could end


@dataclass(frozen=True)
class Terms:
    """What a run was begun on. It is continued only while this still holds."""

    character: str
    base_sha256: str
    persona_version: str
    parent: str | None  # version that is trained on from; None = the bare base
    live: str | None  # alias at the beginning
    method: str
    config: dict[str, JsonValue]  # the method's, in full
    gate: dict[str, JsonValue]  # thresholds, in full
    reward_head: dict[str, JsonValue] | None  # its config, in full; None = it is switched off
    reason: str  # why it was worth a night
    snapshot_hash: str
    counts: dict[str, int]  # rows by side and kind, players
    dropped: dict[str, int]  # rows by reason
    started_at: str  # ISO 8601, UTC
    incumbent: str | None = None  # version that the gate compares with; None = the bare base

    @property
    def starts_over(self) -> bool:
        """Whether it is trained from the bare base though a version of that base is live."""
        return self.parent is None and self.incumbent is not None


@dataclass(frozen=True)
class Nearness:
    """How far training led from the base, and what was taken back of it."""

    trained_kl: float  # nats a token from the base, on plain prose, as training left it
    scale: float  # of the adapter's update since; 1 = as trained

    @property
    def told(self) -> str:
        """For a reader."""
        kept = "kept" if self.scale == 1 else f"scaled to {self.scale:.2f} to stay near"
        return f"{self.trained_kl:.3f} nats a token from the base; {kept}"


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    result: RunResult
    content_hash: str  # of the candidate's two files
    seconds: float
    nearness: Nearness | None = None  # None = of a release that did not look


@dataclass(frozen=True)
class Headed:
    """What came of training a reward head."""

    card: Card | None  # what it got right; None = there is no head
    why_not: str  # "" = there is one
    content_hash: str  # of the head's adapter
    seconds: float


@dataclass(frozen=True)
class Measured:
    """A finished examination."""

    measurements: Measurements
    samples: tuple[Sample, ...]
    seconds: float


@dataclass(frozen=True)
class Published:
    """The version that the candidate became."""

    version: str


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    state: State
    reasons: tuple[str, ...]
    version: str  # "" = nothing was published
    curves: dict[str, list[float | None]]  # by metric, an entry a logged step
    seconds: dict[str, float]  # by stage, of the attempt that finished it
    started_at: str
    finished_at: str
    settled: bool  # the same rows under the same terms would end the same
    error: str = ""  # traceback


_FILES: Mapping[type, str] = {
    Terms: "job.json",
    Trained: "trained.json",
    Headed: "headed.json",
    Measured: "measured.json",
    Verdict: "verdict.json",
    Published: "published.json",
    Ending: "run.json",
}
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    number: int
    character: str
    folder: Path

    @property
    def snapshot(self) -> Path:
        """The frozen rows."""
        return self.folder / frozen_snapshots.FILE

    @property
    def checkpoints(self) -> Path:
        """What the training resumes from."""
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
        """The record for people."""
        return self.folder / "report.html"

    def count_attempt(self) -> int:
        """Count this start, durably; the number of starts with it. Raises OSError."""
        with (self.folder / "attempts").open("ab") as file:
            file.write(b".")
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def forget_attempt(self) -> None:
        """This start was stopped by whoever may: it is no sign of trouble. Raises OSError."""
        with (self.folder / "attempts").open("ab") as file:
            file.truncate(max(0, file.tell() - 1))

    def write(
        self, finding: Terms | Trained | Headed | Measured | Verdict | Published | Ending
    ) -> None:
        """Record a finished stage, durably. Raises OSError."""
        plain = TypeAdapter(type(finding)).dump_python(finding, mode="json")
        # Python's own JSON says NaN where a loss was none.
        self.write_text(_FILES[type(finding)], json.dumps(plain, indent=1) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the folder, whole or not at all. Raises OSError."""
        beside = self.folder / f".{name}"
        beside.write_text(text, encoding="utf-8")
        publish(beside, self.folder / name)

    def find(self, kind: type[_Kind]) -> _Kind | None:
        """What a stage found; None when it is not finished. Raises RecordError."""
        file = self.folder / _FILES[kind]
        try:
            return TypeAdapter(kind).validate_python(json.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:  # JSON's and the schema's
            raise RecordError(f"{file} cannot be read: {brief(error)}") from error

    def read(self, kind: type[_Kind]) -> _Kind:
        """What a stage found. Raises RecordError when it is not finished."""
        found = self.find(kind)
        if found is None:
            raise RecordError(f"{self.folder / _FILES[kind]} is not there")
        return found

    def legible(self, kind: type[_Kind]) -> _Kind | None:
        """What a stage found; None too when it cannot be read, as of another release."""
        try:
            return self.find(kind)
        except RecordError:
            return None


def begin(root: Path, character: str) -> Run:
    """A new folder under the next number. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        number = 1 + max((run.number for run in every(root)), default=0)
        folder = root / f"{number:04d}-{character}"
        folder.mkdir()
    return Run(number, character, folder)


def every(root: Path, character: str | None = None) -> list[Run]:
    """The runs that have a folder, of one character or of all, oldest first."""
    entries = root.iterdir() if root.is_dir() else ()
    named = ((entry, _NAME.fullmatch(entry.name)) for entry in entries if entry.is_dir())
    runs = [Run(int(match[1]), match[2], folder) for folder, match in named if match]
    of_character = [run for run in runs if character in (None, run.character)]
    return sorted(of_character, key=lambda run: run.number)


def by_number(root: Path, number: int) -> Run:
    """One run. Raises UnknownRunError."""
    for run in every(root):
        if run.number == number:
            return run
    raise UnknownRunError(f"no run {number} in {root}; `npc runs` lists them")


def every_begun(root: Path, character: str) -> list[Run]:
    """A character's runs that began, oldest first."""
    return [run for run in every(root, character) if (run.folder / _FILES[Terms]).is_file()]


def every_unfinished(root: Path, character: str) -> list[Run]:
    """A character's runs that began and did not end, oldest first."""
    return [run for run in every_begun(root, character) if not has_ended(run)]


def has_ended(run: Run) -> bool:
    """Whether its ending is recorded, readable or not."""
    return (run.folder / _FILES[Ending]).exists()


def sweep(root: Path, character: str) -> None:
    """Remove what killed runs left: folders that never began, and rows of runs that ended.

    Whoever calls it holds the character's claim, so nobody writes to these folders.
    """
    living = {run.number for run in every_begun(root, character)}
    for run in every(root, character):
        if run.number not in living:
            shutil.rmtree(run.folder, ignore_errors=True)
        elif has_ended(run):
            clear(run)


def clear(run: Run) -> None:
    """Remove what only an unfinished run needs: players' words and checkpoints."""
    run.snapshot.unlink(missing_ok=True)
    shutil.rmtree(run.checkpoints, ignore_errors=True)


def curves(history: Sequence[object]) -> dict[str, list[float | None]]:
    """Logged steps as one list a metric; metrics that were never there are left out."""
    columns = {name: [vars(step)[name] for step in history] for name in _names(history)}
    return {name: values for name, values in columns.items() if any(v is not None for v in values)}


def now() -> str:
    """This moment, as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def name_disk_errors(what: str) -> Iterator[None]:
    """Raise a RecordError that names `what` was being written when the disk refuses."""
    try:
        yield
    except OSError as error:
        if isinstance(error, (TrainerError, PersonasError, FeedbackStoreError)):
            raise  # it says itself what it is about
        raise RecordError(f"{what} could not be written: {error}") from error


def _names(history: Sequence[object]) -> list[str]:
    return list(vars(history[0])) if history else []
