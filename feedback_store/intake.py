"""Taking reactions in: what is checked before an event is stored. Runs on the writer thread.

An event is one INSERT after its checks, so a refused one has changed nothing. The player is the one
of the turn or session: a client cannot speak for another. Refusals are values here, not raised,
because what the limit turned away is counted in the same transaction.
"""

import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from feedback_store.errors import (
    EventConflictError,
    FeedbackStoreError,
    ForgottenError,
    InvalidEventError,
    TooManyEventsError,
    UnknownEventError,
    UnknownSessionError,
    UnknownTurnError,
)
from feedback_store.rate_limit import Buckets, RateLimit
from feedback_store.records import (
    MAX_STARS,
    MIN_STARS,
    Choice,
    Edit,
    Event,
    Kind,
    Outcome,
    Rating,
    Reaction,
    Receipt,
    Source,
)
from feedback_store.rows import Row, event_of

RATE_LIMIT = "rate limit"  # the rule's name among the refusals

_STORED = "SELECT session_id, turn_id, kind, source, payload, received_at FROM events"
_SAME = ("kind", "source", "payload")  # an event says the same when these and its turn are equal
_COLUMNS = (
    "event_id", "session_id", "turn_id", "character", "player_id",
    "kind", "source", "payload", "created_at", "received_at",
)  # fmt: skip
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_REFUSED = """
INSERT INTO refusals (day, character, rule, events) VALUES (?, ?, ?, 1)
ON CONFLICT DO UPDATE SET events = events + 1
"""


class Intake:
    """Checks and stores reactions. Used by one thread."""

    def __init__(self, limit: RateLimit) -> None:
        self._buckets = Buckets(limit)

    def take(
        self, db: sqlite3.Connection, reaction: Reaction, row: Row
    ) -> Receipt | FeedbackStoreError:
        """Store one reaction, whose own part of the row is given, or say why not."""
        stored = db.execute(f"{_STORED} WHERE event_id = ?", [reaction.event_id]).fetchone()
        try:
            if stored is not None:
                return _first_receipt(stored, row)
            about = _about(db, reaction)
            _check(db, reaction, about)
        except FeedbackStoreError as refusal:
            return refusal
        if over_limit := self._over_limit(db, reaction, about):
            return over_limit
        whole = {**row, **about}
        db.execute(_INSERT, [whole[name] for name in _COLUMNS])
        return Receipt(reaction.event_id, datetime.fromisoformat(row["received_at"]), False)

    def _over_limit(
        self, db: sqlite3.Connection, reaction: Reaction, about: Row
    ) -> TooManyEventsError | None:
        if reaction.source is Source.DERIVED:
            return None
        wait_s = self._buckets.take(about["player_id"], time.monotonic())
        if wait_s == 0:
            return None
        today = datetime.now(UTC).date().isoformat()
        db.execute(_REFUSED, [today, about["character"], RATE_LIMIT])
        return TooManyEventsError(
            f"event {reaction.event_id!r}: its player sends faster than the limit; "
            f"send it again in {wait_s:.1f} s",
            wait_s,
        )


def undo(db: sqlite3.Connection, event_id: str) -> Event:
    """Take a player's event back; it stays as history. Doing it again changes nothing.

    Raises UnknownEventError.
    """
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    db.execute(
        "UPDATE events SET undone_at = ? WHERE event_id = ? AND undone_at IS NULL"
        " AND source = 'explicit'",
        [now, event_id],
    )
    cursor = db.execute(
        "SELECT * FROM events WHERE event_id = ? AND source = 'explicit'", [event_id]
    )
    stored = cursor.fetchone()
    if stored is None:
        raise UnknownEventError(f"event {event_id!r} is not recorded; there is nothing to undo")
    return event_of(dict(zip((column[0] for column in cursor.description), stored, strict=True)))


def _first_receipt(stored: tuple[Any, ...], row: Row) -> Receipt:
    session_id, turn_id, *said, received_at = stored
    differing = [name for name, had in zip(_SAME, said, strict=True) if had != row[name]]
    if turn_id != row["turn_id"] or (turn_id is None and session_id != row["session_id"]):
        differing.append("turn or session")
    if differing:
        raise EventConflictError(
            f"event {row['event_id']!r} is stored with another {', '.join(differing)}; "
            "send a new event under a new id"
        )
    return Receipt(row["event_id"], datetime.fromisoformat(received_at), duplicate=True)


def _about(db: sqlite3.Connection, reaction: Reaction) -> Mapping[str, str]:
    """Session, character and player of what the reaction is about."""
    if bool(reaction.turn_id) == bool(reaction.session_id):
        raise InvalidEventError(
            f"event {reaction.event_id!r} names turn {reaction.turn_id!r} and session "
            f"{reaction.session_id!r}; name exactly one"
        )
    table, key = ("turns", "turn_id") if reaction.turn_id else ("sessions", "session_id")
    found = db.execute(
        f"SELECT session_id, character, player_id FROM {table} WHERE {key} = ?",
        [reaction.turn_id or reaction.session_id],
    ).fetchone()
    if found is None:
        raise _unknown(db, reaction)
    return dict(zip(("session_id", "character", "player_id"), found, strict=True))


def _unknown(db: sqlite3.Connection, reaction: Reaction) -> FeedbackStoreError:
    if reaction.turn_id:
        return unknown_turn(reaction.turn_id)
    return unknown_session(db, reaction.session_id, f"event {reaction.event_id!r}")


def unknown_turn(turn_id: str) -> UnknownTurnError:
    """What to tell about a turn that is not there."""
    return UnknownTurnError(
        f"turn {turn_id!r} is not recorded; check the id in Started: an event can be stored when "
        "its turn has finished"
    )


def unknown_session(
    db: sqlite3.Connection, session_id: str, who: str
) -> UnknownSessionError | ForgottenError:
    """What to tell about a session that is not there."""
    forgotten = "SELECT 1 FROM forgotten_sessions WHERE session_id = ?"
    if db.execute(forgotten, [session_id]).fetchone():
        return ForgottenError(
            f"{who} belongs to session {session_id!r}, whose player was forgotten; it is not kept"
        )
    return UnknownSessionError(
        f"{who} names session {session_id!r}, which is not recorded; record the session first"
    )


def _check(db: sqlite3.Connection, reaction: Reaction, about: Row) -> None:
    if not reaction.turn_id and reaction.kind is not Kind.OUTCOME:
        raise InvalidEventError(
            f"a {reaction.kind} is about one turn; only an outcome may name a session instead"
        )
    match reaction.payload:
        case Choice() as choice:
            _check_choice(db, reaction.turn_id, about["session_id"], choice)
        case Edit(text=text) if not text.strip():
            raise InvalidEventError(
                f"edit {reaction.event_id!r} has no text; "
                "to say only that the reply is bad, thumb it down"
            )
        case Rating(stars=stars) if not MIN_STARS <= stars <= MAX_STARS:
            raise InvalidEventError(
                f"rating {reaction.event_id!r} has {stars} stars; give {MIN_STARS} to {MAX_STARS}"
            )
        case Outcome(name=name) if not name.strip():
            raise InvalidEventError(
                f"outcome {reaction.event_id!r} has no name; name the quest or goal it is of"
            )


def _check_choice(
    db: sqlite3.Connection, kept_turn_id: str, session_id: str, choice: Choice
) -> None:
    if not choice.over_turn_ids:
        raise InvalidEventError(
            f"the choice of turn {kept_turn_id!r} names no other turn; name those shown beside"
        )
    if len({kept_turn_id, *choice.over_turn_ids}) <= len(choice.over_turn_ids):
        raise InvalidEventError(
            f"the choice of turn {kept_turn_id!r} names a turn twice; name the others once each"
        )
    kept_prompt = _prompt(db, kept_turn_id)
    for turn_id in choice.over_turn_ids:
        if _prompt(db, turn_id) != kept_prompt:
            raise InvalidEventError(
                f"turn {kept_turn_id!r} is chosen over {turn_id!r}, which answers another "
                "prompt; a choice is among takes on one prompt of one session"
            )


def _prompt(db: sqlite3.Connection, turn_id: str) -> tuple[str, bytes]:
    sql = "SELECT session_id, prompt_ids FROM turns WHERE turn_id = ?"
    found: tuple[str, bytes] | None = db.execute(sql, [turn_id]).fetchone()
    if found is None:
        raise unknown_turn(turn_id)
    return found
