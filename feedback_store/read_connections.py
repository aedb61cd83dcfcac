"""The connections that a store is read through: one a thread, closed when nobody reads any more.

A connection that is closed under a running query takes the process with it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from feedback_store.database import connect, translate_errors
from feedback_store.errors import StoreClosedError

END_S = 5.0  # for reads that run when the store is closed


class ReadConnections:
    """Read connections to one file, of any number of threads."""

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._own = threading.local()  # .db: the calling thread's
        self._all: weakref.WeakSet[Database] = weakref.WeakSet()
        self._changed = threading.Condition()
        self._reads = 0
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """The calling thread's connection, which stays open for the length of the block.

        Raises StoreClosedError, StoreUnavailableError, StoreCorruptError.
        """
        with self._changed:
            if self._closed:
                raise StoreClosedError(f"feedback store {self._path} is closed; open it again")
            self._reads += 1
        try:
            with translate_errors(self._path):
                yield self._connection()
        finally:
            with self._changed:
                self._reads -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody read any more, and close the connections.

        Those are left open if a read goes on for long.
        """
        with self._changed:
            self._closed = True
            ended = self._changed.wait_for(lambda: self._reads == 0, END_S)
        for connection in list(self._all) if ended else ():
            connection.close()

    def _connection(self) -> Database:
        if not hasattr(self._own, "db"):
            self._own.db = connect(self._path, self._busy_timeout_s)
            self._own.db.execute("PRAGMA query_only = ON")
            self._all.add(self._own.db)
        db: Database = self._own.db
        return db
