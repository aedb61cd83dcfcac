"""The one thread that writes, and its group commit.

A write waits in a queue. The thread takes what is waiting, runs it in one transaction with a
savepoint a write, commits, and only then resolves the futures: an answer means "on disk", and many
waiting writes share one flush. A write that is refused undoes itself alone. A failing database
fails the group that met it, and the thread goes on with the next one.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sqlite_utils import Database

from feedback_store.database import explained, immediate
from feedback_store.errors import (
    FeedbackStoreError,
    InvalidRecordError,
    StoreClosedError,
    StoreUnavailableError,
)

MAX_WAITING = 10_000  # writes; beyond this the disk does not keep up and callers are told so
MAX_GROUP = 1_000  # records; bounds how long the first of a group waits for its commit

#: What a value that SQLite cannot take raises, as against a database that fails.
UNSTORABLE = (
    ValueError,  # a lone surrogate among them
    TypeError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Resolve: TypeAlias = Callable[[], None]


@dataclass(frozen=True)
class _Write:
    apply: Callable[[Database], Any]
    future: Future[Any]
    size: int  # records


class Writer:
    """Owns the write connection and the thread that uses it. Any thread may enqueue."""

    def __init__(self, db: Database, path: Path) -> None:
        self._db = db
        self._path = path
        self._waiting: queue.Queue[_Write | None] = queue.Queue()  # None = close after these
        self._closing = threading.Lock()  # no write may follow the None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="feedback-writer", daemon=True)
        self._thread.start()

    def enqueue(self, apply: Callable[[Database], _T], size: int = 1) -> Future[_T]:
        """Run `apply` in the next group; the future is resolved after the commit, never before.

        `size` is how many records it writes. A write that was accepted is carried out even when
        the caller stops waiting for it.
        Through the future: what `apply` raises, StoreUnavailableError, StoreClosedError.
        """
        future: Future[_T] = Future()
        future.set_running_or_notify_cancel()
        with self._closing:
            if refusal := self._refusal():
                future.set_exception(refusal)
            else:
                self._waiting.put(_Write(apply, future, size))
        return future

    def close(self) -> None:
        """Write what is waiting, then stop. Safe to call twice."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _refusal(self) -> StoreUnavailableError | None:
        if self._closed:
            return StoreClosedError(f"feedback store {self._path} is closed; open it again")
        if self._waiting.qsize() >= MAX_WAITING:
            return StoreUnavailableError(
                f"{MAX_WAITING} writes wait for {self._path}; send this one again in a moment"
            )
        return None

    def _run(self) -> None:
        while group := self._next_group():
            for resolve in self._commit(group):
                resolve()
        self._db.close()

    def _next_group(self) -> list[_Write]:
        """What is waiting now, at least one write; empty when the end was asked for."""
        group: list[_Write] = []
        write = self._waiting.get()
        while write is not None:
            group.append(write)
            if sum(one.size for one in group) >= MAX_GROUP or self._waiting.empty():
                return group
            write = self._waiting.get_nowait()
        if group:
            self._waiting.put(None)  # met the end behind this group; meet it again next time
        return group

    def _commit(self, group: list[_Write]) -> list[_Resolve]:
        try:
            with immediate(self._db):
                return [self._attempt(write) for write in group]
        except Exception as error:  # the thread's edge: whatever it was, the next group is tried
            _log.exception("feedback store %s lost a group of %d writes", self._path, len(group))
            return [_failing(write, self._explained(error)) for write in group]

    def _attempt(self, write: _Write) -> _Resolve:
        try:
            with self._db.atomic():  # a savepoint, as a transaction is open
                return partial(write.future.set_result, write.apply(self._db))
        except FeedbackStoreError as refusal:
            return _failing(write, refusal)
        except UNSTORABLE as error:
            return _failing(write, unstorable(error))

    def _explained(self, error: Exception) -> FeedbackStoreError:
        explanation = explained(error, self._path)
        explanation.__cause__ = error
        return explanation


def unstorable(error: Exception) -> InvalidRecordError:
    """What one of UNSTORABLE means for the caller."""
    refusal = InvalidRecordError(f"the record cannot be stored ({error}); correct that value")
    refusal.__cause__ = error
    return refusal


def _failing(write: _Write, error: FeedbackStoreError) -> _Resolve:
    return partial(write.future.set_exception, error)
