"""Who did what that others must be able to ask about: an append-only file, each line chained to
the one before it.

A line holds the hash of itself and of the line before, so that none can be changed, taken out or
put in without breaking the chain behind it. Whoever can write the file can write all of it anew:
the hash of the last line, written down elsewhere, shows that, and lines that the end has lost.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from feedback_store.errors import AuditError

FILE = "audit.jsonl"  # beside the store

#: What the first line is chained to.
NOTHING = "0" * 64


class Action(StrEnum):
    """What was done."""

    KEY_MADE = "key made"
    """Somebody may call the server from then on."""
    KEY_REVOKED = "key revoked"
    """Somebody may not any more."""
    SIGNING_KEY_ROTATED = "signing key rotated"
    """Players' tokens are signed anew; the oldest are not valid any more."""
    PROMOTED = "promoted"
    """A version of an adapter or a reward head went live."""
    ROLLED_BACK = "rolled back"
    """The version before it went live again."""
    EXPORTED = "exported"
    """Feedback, or all of a player, was written out."""
    FORGOTTEN = "forgotten"
    """A player's data, or what a character remembered of them, was deleted."""


@dataclass(frozen=True)
class Entry:
    """One line."""

    number: int  # from 1
    at: str  # ISO 8601, UTC
    who: str
    action: str
    about: Mapping[str, str]
    hash: str


@dataclass(frozen=True)
class Verdict:
    """Whether the chain holds."""

    entries: int  # that hold
    head: str  # hash of the last of them
    fault: str = ""  # what is wrong behind them; "" = nothing


def record(path: Path, who: str, action: Action, **about: str) -> Entry:
    """Append an entry; it is on disk when this returns. Raises AuditError."""
    try:
        with _appending(path) as file:
            before = _last(file)
            entry = _entry(before, who, action, about)
            os.write(file, f"{json.dumps(_fields(entry), ensure_ascii=False)}\n".encode())
            os.fsync(file)
            return entry
    except AuditError:
        raise
    except OSError as error:
        raise AuditError(f"{path}: cannot write ({error.strerror or error})") from error


def entries(path: Path) -> Iterator[Entry]:
    """All entries, oldest first; none without a file. Raises AuditError for a damaged line."""
    for number, line in enumerate(_lines(path), 1):
        try:
            yield Entry(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise AuditError(f"{path}:{number}: this is no entry") from error


def verify(path: Path) -> Verdict:
    """Look for the first line that breaks the chain."""
    head, count = NOTHING, 0
    try:
        for entry in entries(path):
            if entry.number != count + 1 or entry.hash != _hash(head, _fields(entry)):
                return Verdict(count, head, f"line {count + 1} was changed, taken out or put in")
            head, count = entry.hash, count + 1
    except AuditError as error:
        return Verdict(count, head, str(error))
    return Verdict(count, head)


def _entry(before: Entry | None, who: str, action: Action, about: Mapping[str, str]) -> Entry:
    number = before.number + 1 if before else 1
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    unsigned = Entry(number, at, who, action.value, dict(about), "")
    head = before.hash if before else NOTHING
    return Entry(number, at, who, action.value, dict(about), _hash(head, _fields(unsigned)))


def _fields(entry: Entry) -> dict[str, Any]:
    return {**vars(entry), "about": dict(entry.about)}


def _hash(head: str, fields: Mapping[str, Any]) -> str:
    told = {name: value for name, value in fields.items() if name != "hash"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{head}{text}".encode()).hexdigest()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise AuditError(f"{path}: cannot be read ({error})") from error


@contextmanager
def _appending(path: Path) -> Iterator[int]:
    """The file to append to, which no other process appends to meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _last(file: int) -> Entry | None:
    """The last entry.

    What a killed writer left of a line was never acknowledged, and is removed.
    """
    content = os.pread(file, os.fstat(file).st_size, 0)
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.ftruncate(file, len(whole))
    if not whole:
        return None
    try:
        return Entry(**json.loads(whole.splitlines()[-1]))
    except (ValueError, TypeError) as error:
        raise AuditError(
            "the last line of the audit is damaged: `npc audit verify` tells where; move the file"
            " away, and a new one begins"
        ) from error
