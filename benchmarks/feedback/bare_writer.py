"""The limit: a loop over `sqlite3` that writes event rows and does nothing else.

Same tables and indexes, same journal and flush setting as the store, the same turns reacted to in
the same order, groups as large as the store's largest. Rows are made beforehand; nothing is
checked.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.feedback.population import Position, Size, turn_id
from feedback_store.rows import time_text
from feedback_store.writer import MAX_GROUP


@dataclass(frozen=True)
class Load:
    """The order in which events are written: that of the server's clients."""

    clients: int  # each reacts to its own turns
    batch: int  # events of one client in a row
    seed: int


_INSERT = (
    "INSERT INTO events (event_id, session_id, turn_id, character, player_id, kind, source,"
    " payload, created_at, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def events_per_s(path: Path, size: Size, events: int, load: Load) -> float:
    """The events per second that the loop commits into a store of this size."""
    rows = list(islice(_rows(size, load), events))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        begun = time.perf_counter()
        for start in range(0, len(rows), MAX_GROUP):
            db.execute("BEGIN IMMEDIATE")
            for row in rows[start : start + MAX_GROUP]:
                db.execute(_INSERT, row)
            db.execute("COMMIT")
        return len(rows) / (time.perf_counter() - begun)


def _rows(size: Size, load: Load) -> Iterator[list[Any]]:
    """Event rows as the clients send them, one batch per client in turn."""
    draw, now = random.Random(f"bare/{load.seed}"), time_text(datetime.now(UTC))
    mine = [cycle(range(number, size.turns, load.clients)) for number in range(load.clients)]
    for turns in cycle(mine):
        for number in islice(turns, load.batch):
            position = Position.of(number, size)
            yield [
                f"{draw.getrandbits(128):032x}",
                position.session_id,
                turn_id(number),
                position.character,
                position.player_id,
                "thumb",
                "explicit",
                '{"reasons":[],"up":true}',
                now,
                now,
            ]
