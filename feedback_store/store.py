"""The only door to what was said and what players thought: verbs and records outside, SQL inside.

Writes go through one writer thread and answer with a future that is resolved after the commit, so
what was acknowledged survives a crash. All of them may be repeated: the same id with the same
content is one row and the same answer, the same id with other content is a conflict. Reads run on
the caller's thread, over a connection of its own, and see what is committed.

Several stores, in one process or in several, may be open on one file.
"""

import struct
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlite_utils import Database

from feedback_store import rows
from feedback_store.database import connect, ensure_folder, ensure_ready, translated
from feedback_store.errors import (
    EventConflictError,
    FeedbackStoreError,
    InvalidEventError,
    InvalidRecordError,
    RecordConflictError,
    StoreClosedError,
    UnknownSessionError,
    UnknownTurnError,
)
from feedback_store.records import Choice, Counts, Edit, Event, Receipt, Session, Turn
from feedback_store.rows import Row
from feedback_store.writer import Writer

_T = TypeVar("_T")
_UNENCODABLE = (ValueError, TypeError, AttributeError, OverflowError, struct.error)

_COUNTS = """
SELECT
    (SELECT count(*) FROM turns WHERE character = :character) AS turns,
    (SELECT count(*) FROM sessions WHERE character = :character) AS sessions,
    (SELECT count(DISTINCT player_id) FROM sessions WHERE character = :character) AS players,
    count(*) FILTER (WHERE kind = 'thumb' AND json_extract(payload, '$.up')) AS thumbs_up,
    count(*) FILTER (WHERE kind = 'thumb' AND NOT json_extract(payload, '$.up')) AS thumbs_down,
    count(*) FILTER (WHERE kind = 'choice') AS choices,
    count(*) FILTER (WHERE kind = 'edit') AS edits
FROM events WHERE turn_id IN (SELECT turn_id FROM turns WHERE character = :character)
"""
_EVENTS = """
SELECT events.* FROM events JOIN turns USING (turn_id)
WHERE turns.character = ? ORDER BY events.created_at, event_id
"""


class Store:
    """A feedback store on one SQLite file. Made by `open`, ended by `close`."""

    def __init__(self, path: Path, busy_timeout_s: float, writer: Writer) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._writer = writer
        self._closed = False
        self._own = threading.local()  # .db: the calling thread's read connection
        self._readers: weakref.WeakSet[Database] = weakref.WeakSet()

    @classmethod
    def open(cls, path: Path, busy_timeout_s: float = 5.0) -> "Store":
        """Open or create the file, check it, and bring its tables up to date.

        Reads the whole file once to find damage. `busy_timeout_s` is how long a write or a check
        waits for another process's lock. Raises StoreCorruptError, StoreTooNewError,
        StoreUnavailableError.
        """
        path = Path(path).absolute()
        ensure_folder(path)
        with translated(path):
            db = connect(path, busy_timeout_s)
            try:
                ensure_ready(db, path, busy_timeout_s)
            except BaseException:
                db.close()
                raise
        return cls(path, busy_timeout_s, Writer(db, path))

    def close(self) -> None:
        """Write what is waiting, then close the file. Call it when reads have ended."""
        self._writer.close()
        self._closed = True
        for reader in list(self._readers):
            reader.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Writes. Every error comes through the future.

    def record_session(self, session: Session) -> Future[None]:
        """Keep a session. RecordConflictError, InvalidRecordError, StoreUnavailableError."""
        return self._write(
            lambda: rows.session_row(session),
            lambda db, row: _record(db, "sessions", "session_id", row),
            InvalidRecordError,
        )

    def record_turn(self, turn: Turn) -> Future[None]:
        """Keep a turn of a recorded session.

        UnknownSessionError, RecordConflictError, InvalidRecordError, StoreUnavailableError.
        """
        return self._write(lambda: rows.turn_row(turn), _record_turn, InvalidRecordError)

    def submit(self, event: Event) -> Future[Receipt]:
        """Keep a player's reaction to a recorded turn.

        An event says the same as another when turn, player and payload are equal; a client's clock
        may differ between two tries. UnknownTurnError, EventConflictError, InvalidEventError,
        StoreUnavailableError.
        """
        return self._write(
            lambda: rows.event_row(event, datetime.now(UTC)),
            lambda db, row: _submit(db, event, row),
            InvalidEventError,
        )

    def _write(
        self,
        encode: Callable[[], Row],
        apply: Callable[[Database, Row], _T],
        invalid: type[InvalidRecordError],
    ) -> Future[_T]:
        try:
            row = encode()
        except _UNENCODABLE as error:
            return _failed(invalid(f"the record cannot be stored: {error}"), error)
        return self._writer.enqueue(lambda db: apply(db, row))

    # Reads. They raise StoreClosedError, StoreCorruptError, StoreUnavailableError.

    def turn(self, turn_id: str) -> Turn | None:
        """One turn, or None when it is not recorded."""
        found = self._read("SELECT * FROM turns WHERE turn_id = ?", [turn_id])
        return rows.turn_of(found[0]) if found else None

    def session(self, session_id: str) -> Session | None:
        """One session, or None when it is not recorded."""
        found = self._read("SELECT * FROM sessions WHERE session_id = ?", [session_id])
        return rows.session_of(found[0]) if found else None

    def turns(self, character: str) -> list[Turn]:
        """All turns of a character, oldest first."""
        sql = "SELECT * FROM turns WHERE character = ? ORDER BY created_at, turn_id"
        return [rows.turn_of(row) for row in self._read(sql, [character])]

    def events(self, character: str) -> list[Event]:
        """All events about a character's turns, oldest first by the client's clock."""
        return [rows.event_of(row) for row in self._read(_EVENTS, [character])]

    def counts(self, character: str) -> Counts:
        """How much is stored about a character."""
        return Counts(**self._read(_COUNTS, {"character": character})[0])

    def _read(self, sql: str, parameters: list[str] | dict[str, str]) -> list[dict[str, Any]]:
        with translated(self._path):
            return list(self._reader().query(sql, parameters))

    def _reader(self) -> Database:
        if self._closed:
            raise StoreClosedError(f"feedback store {self._path} is closed; open it again")
        if not hasattr(self._own, "db"):
            self._own.db = connect(self._path, self._busy_timeout_s)
            self._own.db.execute("PRAGMA query_only = ON")
            self._readers.add(self._own.db)
        db: Database = self._own.db
        return db


# What the writer thread runs, inside a savepoint: raising undoes this write alone.


def _record_turn(db: Database, row: Row) -> None:
    session = _one(db, "sessions", "session_id", row["session_id"])
    if session is None:
        raise UnknownSessionError(
            f"turn {row['turn_id']!r} names session {row['session_id']!r}, which is not recorded; "
            "record the session first"
        )
    for field in ("player_id", "character"):
        if row[field] != session[field]:
            raise InvalidRecordError(
                f"turn {row['turn_id']!r} has {field} {row[field]!r}, but its session "
                f"{row['session_id']!r} has {session[field]!r}; they must be equal"
            )
    _record(db, "turns", "turn_id", row)


def _record(db: Database, table: str, key: str, row: Row) -> None:
    stored = _one(db, table, key, row[key])
    if stored is None:
        _insert(db, table, row)
    elif stored != row:
        differing = ", ".join(name for name in row if row[name] != stored[name])
        raise RecordConflictError(
            f"{key} {row[key]!r} is recorded with another {differing}; use a new id"
        )


def _submit(db: Database, event: Event, row: Row) -> Receipt:
    if stored := _one(db, "events", "event_id", event.event_id):
        return _first_receipt(stored, row)
    _check_event(db, event)
    _insert(db, "events", row)
    return Receipt(event.event_id, datetime.fromisoformat(row["received_at"]), duplicate=False)


def _first_receipt(stored: Row, row: Row) -> Receipt:
    for field in ("turn_id", "player_id", "kind", "payload"):
        if stored[field] != row[field]:
            raise EventConflictError(
                f"event {row['event_id']!r} is stored with another {field}; "
                "send a new event under a new id"
            )
    received_at = datetime.fromisoformat(stored["received_at"])
    return Receipt(row["event_id"], received_at, duplicate=True)


def _check_event(db: Database, event: Event) -> None:
    turn = _known_turn(db, event.turn_id)
    if turn["player_id"] != event.player_id:
        raise InvalidEventError(
            f"player {event.player_id!r} reacts to turn {event.turn_id!r} of another player; "
            "only the player of the session may"
        )
    if isinstance(event.payload, Choice):
        _check_choice(db, turn, event.payload)
    if isinstance(event.payload, Edit) and not event.payload.text.strip():
        raise InvalidEventError(
            f"edit {event.event_id!r} has no text; to say only that the reply is bad, thumb it down"
        )


def _check_choice(db: Database, kept: Row, choice: Choice) -> None:
    if not choice.over_turn_ids:
        raise InvalidEventError(
            f"the choice of turn {kept['turn_id']!r} names no other turn; name those shown beside"
        )
    for turn_id in choice.over_turn_ids:
        other = _known_turn(db, turn_id)
        if turn_id == kept["turn_id"]:
            raise InvalidEventError(f"turn {turn_id!r} is chosen over itself; name the others only")
        if any(other[field] != kept[field] for field in ("session_id", "prompt_ids")):
            raise InvalidEventError(
                f"turn {kept['turn_id']!r} is chosen over {turn_id!r}, which answers another "
                "prompt; a choice is among takes on one prompt of one session"
            )


def _known_turn(db: Database, turn_id: str) -> Row:
    turn = _one(db, "turns", "turn_id", turn_id)
    if turn is None:
        raise UnknownTurnError(
            f"turn {turn_id!r} is not recorded; an event can be sent when its turn has finished"
        )
    return turn


def _one(db: Database, table: str, key: str, value: str) -> Row | None:
    sql = f"SELECT * FROM {table} WHERE {key} = ?"
    return next(iter(db.query(sql, [value])), None)


def _insert(db: Database, table: str, row: Row) -> None:
    # Not sqlite-utils' insert: it looks the table up again for every row.
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def _failed(refusal: FeedbackStoreError, cause: Exception) -> Future[Any]:
    refusal.__cause__ = cause
    future: Future[Any] = Future()
    future.set_exception(refusal)
    return future
