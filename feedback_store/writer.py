"""The one thread that writes, and its group commit.

A write waits in a queue. The thread takes what is waiting, runs it in one transaction with one
savepoint per write, commits, and only then resolves the futures: an answer means "on disk", and
many waiting writes share one flush. A write that is refused undoes itself alone. A failing database
fails the group that met it, and the thread goes on with the next one.

Neighbours that take items in the same way are carried out as one, because every statement hands the
interpreter's lock to a busy event loop and has to wait until it comes back.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sqlite_utils import Database

from feedback_store.database import explain, immediate
from feedback_store.errors import (
    FeedbackStoreError,
    InvalidRecordError,
    StoreClosedError,
    StoreUnavailableError,
)

MAX_WAITING = 250_000  # records, some 250 MiB; beyond this the disk does not keep up
MAX_GROUP = 1_000  # records; bounds how long the first of a group waits for its commit

#: Raised for a value that SQLite cannot take, unlike the errors of a failing database.
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
_ResultT = TypeVar("_ResultT")
_ItemT = TypeVar("_ItemT")
_Resolve: TypeAlias = Callable[[], None]


#: Carries out a write: one answer per item.
_Take: TypeAlias = Callable[[Database, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True)
class _Write:
    take: _Take
    items: Sequence[Any]
    future: Future[Any]  # of the answers


class Writer:
    """Owns the write connection and the thread that uses it. Any thread may enqueue."""

    def __init__(self, db: Database, path: Path) -> None:
        self._db = db
        self._path = path
        self._waiting: queue.Queue[_Write | None] = queue.Queue()  # None = close after these
        self._records = 0  # in the queue
        self._closing = threading.Lock()  # of the counter; and no write may follow the None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="feedback-writer", daemon=True)
        self._thread.start()

    def enqueue(self, apply: Callable[[Database], _ResultT]) -> Future[_ResultT]:
        """Run `apply` in the next group; the future is resolved after the commit, never before.

        A write that was accepted is carried out even when the caller stops waiting for it.
        Through the future: what `apply` raises, StoreUnavailableError, StoreClosedError.
        """
        only: Future[_ResultT] = Future()
        only.set_running_or_notify_cancel()
        answers = self.enqueue_items(lambda db, _: [apply(db)], [None])
        answers.add_done_callback(partial(settle_with_first, only))
        return only

    def enqueue_items(
        self,
        take: Callable[[Database, Sequence[_ItemT]], Sequence[_ResultT]],
        items: Sequence[_ItemT],
    ) -> Future[list[_ResultT]]:
        """Run `take` on items in the next group, with those of other calls: one answer per item.

        `take` must not raise because of an item: that would fail those of other calls.
        Through the future: StoreUnavailableError, StoreClosedError.
        """
        future: Future[list[_ResultT]] = Future()
        future.set_running_or_notify_cancel()
        with self._closing:
            if refusal := self._refusal(len(items)):
                future.set_exception(refusal)
            else:
                self._records += len(items)
                self._waiting.put(_Write(take, items, future))
        return future

    def close(self) -> None:
        """Write what is waiting, then stop. Safe to call twice."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _refusal(self, records: int) -> StoreUnavailableError | None:
        if self._closed:
            return StoreClosedError(f"feedback store {self._path} is closed; open it again")
        if self._records + records > MAX_WAITING:
            return StoreUnavailableError(
                f"{self._records} records wait for {self._path}; send this one again in a moment"
            )
        return None

    def _run(self) -> None:
        while group := self._next_group():
            for resolve in self._commit(group):
                resolve()
        self._db.close()

    def _next_group(self) -> list[_Write]:
        """The writes that wait, at least one; none when the writer is closed."""
        group: list[_Write] = []
        records = 0
        write = self._waiting.get()
        while write is not None:
            group.append(write)
            records += len(write.items)
            if records >= MAX_GROUP or self._waiting.empty():
                break
            write = self._waiting.get_nowait()
        with self._closing:
            self._records -= records
        if write is not None:
            return group
        if group:
            self._waiting.put(None)  # met the end behind this group; meet it again next time
        return group

    def _commit(self, group: list[_Write]) -> list[_Resolve]:
        try:
            with immediate(self._db):
                return [
                    resolve
                    for take, writes in groupby(group, key=lambda write: write.take)
                    for resolve in self._attempt(take, list(writes))
                ]
        except Exception as error:  # the thread's edge: whatever it was, the next group is tried
            _log.exception("feedback store %s lost a group of %d writes", self._path, len(group))
            explanation = explain(error, self._path)
            explanation.__cause__ = error
            return _failing(group, explanation)

    def _attempt(self, take: _Take, writes: list[_Write]) -> list[_Resolve]:
        items = [item for write in writes for item in write.items]
        try:
            with self._db.atomic():  # a savepoint, as a transaction is open
                answers = iter(take(self._db, items))
        except FeedbackStoreError as refusal:
            return _failing(writes, refusal)
        except UNSTORABLE as error:
            return _failing(writes, unstorable(error))
        return [
            partial(write.future.set_result, list(islice(answers, len(write.items))))
            for write in writes
        ]


def unstorable(error: Exception) -> InvalidRecordError:
    """The error for the caller when one of UNSTORABLE was raised."""
    refusal = InvalidRecordError(f"the record cannot be stored ({error}); correct that value")
    refusal.__cause__ = error
    return refusal


def settle_with_first(only: Future[Any], answers: Future[list[Any]]) -> None:
    """Answer a future of one as its group of one was answered; the answer may be an error."""
    answer = answers.exception() or answers.result()[0]
    if isinstance(answer, BaseException):
        only.set_exception(answer)
    else:
        only.set_result(answer)


def _failing(writes: list[_Write], error: FeedbackStoreError) -> list[_Resolve]:
    return [partial(write.future.set_exception, error) for write in writes]
