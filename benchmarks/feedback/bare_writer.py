"""The limit: a loop over `sqlite3` that writes event rows and does nothing else.

Same tables and indexes, same journal and flush setting as the store, groups as large as the store's
largest. Rows are made beforehand; nothing is checked.
"""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.feedback.population import Size, character, player, turn_id
from feedback_store.rows import time_text
from feedback_store.writer import MAX_GROUP

_INSERT = (
    "INSERT INTO events (event_id, session_id, turn_id, character, player_id, kind, source,"
    " payload, created_at, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def events_per_s(path: Path, size: Size, events: int, seed: int) -> float:
    """How many events a second the loop commits, into a store of this population."""
    rows = _rows(size, events, seed)
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


def _rows(size: Size, events: int, seed: int) -> list[list[Any]]:
    draw, now = random.Random(f"bare/{seed}"), time_text(datetime.now(UTC))
    return [
        [
            f"{draw.getrandbits(128):032x}",
            f"s{number % 1000:031x}",
            turn_id(number % size.turns),
            character(number % size.characters),
            player(number % 1000),
            "thumb",
            "explicit",
            '{"reasons":[],"up":true}',
            now,
            now,
        ]
        for number in range(events)
    ]
