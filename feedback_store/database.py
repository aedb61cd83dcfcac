"""A connection to a store's file: how it is opened, checked and migrated, and what its failures
mean in our terms.

`connect` gives any thread its connection. `ensure_ready` is called once per process: it refuses a
file that is damaged, another program's or a newer release's before anything is written to it.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from feedback_store.errors import (
    FeedbackStoreError,
    StoreCorruptError,
    StoreFullError,
    StoreTooNewError,
    StoreUnavailableError,
)
from feedback_store.migrations import APPLICATION_ID, STEPS, step_names

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NO_ROOM = (sqlite3.SQLITE_FULL,)
_WAL_RETRY_S = 0.01

# Event ids are random, so every event of a group changes another page: with the defaults (2 MiB,
# 1,000 pages) half of the writer's time went into writing the same pages again and again.
CACHE_KIB = 64 << 10  # of memory, at most, for each connection
CHECKPOINT_PAGES = 8_000  # 32 MiB of write-ahead log; copying it back takes some 0.2 s


def connect(path: Path, busy_timeout_s: float) -> Database:
    """A connection whose commits are on disk when they return.

    It waits for locks for `busy_timeout_s`, begins no transaction by itself, runs no plugin, and
    may be closed from another thread.
    """
    connection = sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )
    db = Database(connection, execute_plugins=False)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
    db.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
    db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return db


def ensure_folder(path: Path) -> None:
    """Make the folder the file lives in. Raises StoreUnavailableError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"no folder for feedback store {path} ({error}); make it writable or use another path"
        ) from error


def ensure_ready(db: Database, path: Path, busy_timeout_s: float, search_damage: bool) -> None:
    """Check the file, set its journal and bring its tables up to date; a no-op the second time.

    Searching for damage reads the whole file. Raises StoreCorruptError, StoreTooNewError.
    """
    if search_damage:
        _refuse_damaged(db, path)
    _refuse_foreign(db, path)
    _ensure_wal(db, busy_timeout_s)
    with immediate(db):  # two processes may open a blank file at once; the second waits here
        _refuse_newer(db, path)
        STEPS.apply(db)


@contextmanager
def immediate(db: Database) -> Iterator[None]:
    """A transaction that holds the write lock from its start; any exception rolls it back."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.commit()
    except BaseException:
        db.rollback()
        raise


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise our errors in place of sqlite3's."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: Exception, path: Path) -> FeedbackStoreError:
    """What a failure of the database means for the caller."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary of an extended code
    if code in _DAMAGED:
        return _damage(path, str(error))
    if code in _NO_ROOM:
        return StoreFullError(
            f"feedback store {path} has no room ({error}); nothing of the call was stored. "
            "Make room on the disk and send it again; nothing else is needed."
        )
    return StoreUnavailableError(
        f"feedback store {path} did not take the call ({error}); nothing of it was stored. "
        "Send it again; if this goes on, look for a full disk or a process holding the file."
    )


def _refuse_damaged(db: Database, path: Path) -> None:
    findings = [row[0] for row in db.execute("PRAGMA quick_check(1)")]
    if findings != ["ok"]:
        raise _damage(path, "; ".join(findings))


def _damage(path: Path, finding: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"feedback store {path} is damaged or no SQLite file ({finding}). Nothing was changed. "
        "Move it away and restore a backup, or rescue its rows with `sqlite3 FILE .recover`."
    )


def _refuse_foreign(db: Database, path: Path) -> None:
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    if application_id == APPLICATION_ID or not db.table_names():
        return
    raise StoreCorruptError(
        f"{path} is a SQLite file of another program (application id {application_id:#x}, tables "
        f"{', '.join(db.table_names()[:5])}). Nothing was changed. Configure another path."
    )


def _refuse_newer(db: Database, path: Path) -> None:
    applied = {step.name for step in STEPS.applied(db)}
    if unknown := sorted(applied - set(step_names())):
        raise StoreTooNewError(
            f"feedback store {path} was written by a newer release (steps {', '.join(unknown)}). "
            "Nothing was changed. Update this program, or restore a backup of its own time."
        )


def _ensure_wal(db: Database, busy_timeout_s: float) -> None:
    # SQLite does not wait for locks when it changes the journal mode, so the waiting is done here.
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            return db.enable_wal()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_WAL_RETRY_S)
