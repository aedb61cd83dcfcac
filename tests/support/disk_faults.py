"""Disks and databases that do not do what is asked of them."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_store.store import Store


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another program holds the store's write lock."""
    with contextlib.closing(sqlite3.connect(folder / "feedback.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


@contextmanager
def full(store: Store) -> Iterator[None]:
    """There is no room for another page."""
    db = store._writer._db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    yield
    db.execute(f"PRAGMA max_page_count = {2**30}")


def flip_last_byte(path: Path) -> None:
    """What a bad disk does."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
