"""Copies of a store that is in use, and putting one back under a running server.

A backup is one consistent moment of the store, checked, in one file. A restore checks and migrates
its own copy of the file first; then, in one transaction on the live file, the present content is
backed up and replaced while the write lock keeps every writer out. So a process killed at any point
leaves the store as it was, every acknowledged write is in one of the two files, and readers and
writers go on with the new content. Players forgotten since the backup stay forgotten.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Set
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from sqlite_utils import Database

from feedback_store.database import connect, ensure_folder, ensure_ready, immediate
from feedback_store.errors import (
    BackupError,
    FeedbackStoreError,
    StoreCorruptError,
    StoreTooNewError,
)
from feedback_store.forgetting import delete_sessions
from feedback_store.migrations import APPLICATION_ID, STEPS
from feedback_store.publishing import publish, workplace

OnProgress: TypeAlias = Callable[[str, int, int], None]  # step, done, total

_PAGES_PER_STEP = 1_000
_LOCK_WAIT_S = 30.0


def back_up(
    store: Path, target: Path, replace: bool = False, on_progress: OnProgress | None = None
) -> None:
    """Write a copy of the store, which may be in use. Raises BackupError; then there is no file."""
    if not store.is_file():
        raise BackupError(f"no feedback store at {store}: there is nothing to back up")
    if target.exists() and not replace:
        raise BackupError(f"{target} exists; choose another name, or allow it to be replaced")
    failed = _as_backup_error(f"{target} was not written", "Make room, or choose another folder.")
    with failed, workplace(target) as folder:
        copy = folder / "copy.db"
        with closing(connect(store, _LOCK_WAIT_S)) as db:
            _copy(db.conn, copy, "copying", on_progress)
        _refuse_unsound(copy, f"the copy of {store}")
        publish(copy, target)


def restore(file: Path, store: Path, on_progress: OnProgress | None = None) -> Path | None:
    """Replace the store's content with a backup's. Raises BackupError; then nothing was changed.

    Returns where the former content was backed up, or None when there was no store.
    """
    ensure_folder(store)
    refused = _as_backup_error(f"{file} was not restored", "The store is as it was.")
    with refused, workplace(store) as folder:
        copy = folder / "copy.db"
        if store.is_file():
            return _swap(file, copy, store, on_progress)
        _prepare(file, copy, {}, on_progress)
        publish(copy, store)
    return None


def _swap(file: Path, copy: Path, store: Path, on_progress: OnProgress | None) -> Path:
    before = _free_name(store)
    with closing(_live(store)) as live:
        forgotten = _forgotten(live)
        _prepare(file, copy, forgotten, on_progress)
        _replace(copy, live, _Step(store, before, forgotten, on_progress))
    return before


def _prepare(
    file: Path, copy: Path, forgotten: dict[str, str], on_progress: OnProgress | None
) -> None:
    """Copy the backup, check and migrate the copy, and delete the players forgotten since."""
    if not file.is_file():
        raise BackupError(f"there is no file {file}; check its name")
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as source:
        _copy(source, copy, "reading", on_progress)
    _refuse_unsound(copy, str(file))
    with closing(connect(copy, _LOCK_WAIT_S)) as db:
        _migrate(db, file, copy)
        _require_own_schema(db, file)
        with immediate(db):
            sql = "INSERT OR IGNORE INTO forgotten_sessions VALUES (?, ?)"
            db.conn.executemany(sql, forgotten.items())
            delete_sessions(db, list(forgotten))


def _migrate(db: Database, file: Path, copy: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise BackupError(f"{file} is no backup of a feedback store; the store is as it was")
    try:
        ensure_ready(db, copy, _LOCK_WAIT_S, search_damage=False)
    except StoreTooNewError as error:
        raise BackupError(
            f"{file} was written by a newer release; the store is as it was. Update this program"
        ) from error


def _require_own_schema(db: Database, file: Path) -> None:
    """Raise BackupError for a file that says it is a store, and would not work as one."""
    with closing(Database(memory=True, execute_plugins=False)) as fresh:
        STEPS.apply(fresh)
        tables = fresh.table_names()
        lacking = [one for one in tables if not _columns(fresh, one) <= _columns(db, one)]
        strange = sorted(_triggers(db) - _triggers(fresh))
    if lacking:
        raise BackupError(f"{file} is no whole backup: {', '.join(lacking)} is not as it should be")
    if strange:
        names = ", ".join(name for name, _ in strange)
        raise BackupError(f"{file} has triggers that no release made ({names}); use another backup")


def _columns(db: Database, table: str) -> Set[str]:
    return {row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", [table])}


def _triggers(db: Database) -> Set[tuple[str, str]]:
    return set(db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))


def _live(store: Path) -> Database:
    db = connect(store, _LOCK_WAIT_S)
    try:
        ensure_ready(db, store, _LOCK_WAIT_S, search_damage=True)
    except (StoreCorruptError, StoreTooNewError, sqlite3.Error) as error:
        db.close()
        raise BackupError(
            f"the present store {store} cannot be backed up first ({error}). Nothing was changed. "
            f"Stop the server, move {store.name}, {store.name}-wal and {store.name}-shm away, "
            "and restore again"
        ) from error
    return db


class _Step:
    """Called by SQLite after each step of replacing the live store. The first call is the one
    moment when the lock is held and nothing is committed yet: then the former content is kept."""

    def __init__(
        self,
        store: Path,
        before: Path,
        forgotten: dict[str, str],
        on_progress: OnProgress | None,
    ) -> None:
        self._store = store
        self._before = before
        self._forgotten = forgotten
        self._on_progress = on_progress
        self._begun = False
        self._give_up_s = time.monotonic() + _LOCK_WAIT_S

    def __call__(self, status: int, left: int, total: int) -> None:
        """Raises BackupError, which rolls back."""
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            if time.monotonic() > self._give_up_s:
                raise BackupError(f"another program keeps {self._store} locked; try again")
            return
        if not self._begun:
            self._begun = True
            self._keep_former()
        if self._on_progress:
            self._on_progress("replacing", total - left, total)

    def _keep_former(self) -> None:
        with closing(connect(self._store, _LOCK_WAIT_S)) as reader:
            if _forgotten(reader) != self._forgotten:
                raise BackupError("a player was forgotten meanwhile; nothing changed, try again")
        back_up(self._store, self._before, on_progress=self._on_progress)


def _replace(copy: Path, live: Database, step: _Step) -> None:
    with closing(sqlite3.connect(copy)) as source:
        pages = source.execute("PRAGMA page_count").fetchone()[0]
        # More than one step, so that the first call comes before the commit.
        source.backup(live.conn, pages=min(_PAGES_PER_STEP, max(1, pages // 2)), progress=step)
    # The log holds all pages now. Writers wait while it is emptied, so nobody waits for readers.
    live.execute("PRAGMA busy_timeout = 0")
    live.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy(
    source: sqlite3.Connection, copy: Path, what: str, on_progress: OnProgress | None
) -> None:
    def tell(status: int, left: int, total: int) -> None:
        if on_progress:
            on_progress(what, total - left, total)

    with closing(sqlite3.connect(copy)) as target:
        source.execute("BEGIN")  # one moment: without it, any write would start the copy over
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(target, pages=_PAGES_PER_STEP, progress=tell)
        source.execute("ROLLBACK")
        target.execute("PRAGMA journal_mode = DELETE")  # no log beside it


def _refuse_unsound(copy: Path, what: str) -> None:
    with closing(sqlite3.connect(copy)) as db:
        findings = [row[0] for row in db.execute("PRAGMA quick_check(1)")]
    if findings != ["ok"]:
        raise BackupError(f"{what} is damaged ({'; '.join(findings)}); use another backup")


def _forgotten(db: Database) -> dict[str, str]:
    return dict(db.execute("SELECT session_id, forgotten_at FROM forgotten_sessions"))


def _free_name(store: Path) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return store.with_name(f"{store.stem}-before-restore-{now}{store.suffix}")


@contextmanager
def _as_backup_error(what: str, advice: str) -> Iterator[None]:
    """Raise BackupError in place of what the disk and SQLite raise."""
    try:
        yield
    except BackupError:
        raise
    except (sqlite3.Error, OSError, FeedbackStoreError) as error:
        raise BackupError(f"{what} ({error}). {advice}") from error
