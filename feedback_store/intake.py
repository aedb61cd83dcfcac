"""Taking reactions in: what is checked before an event is stored. Runs on the writer thread.

An event is inserted after its checks, so a refused one has changed nothing. The player is the one
of the turn or session: a client cannot speak for another. Refusals are values here, not raised,
because what the limit turned away is counted in the same transaction.

Many reactions to turns are looked up in one statement and inserted in another: each statement gives
up the interpreter's lock and has to wait for it again behind a busy event loop, and inside of it
SQLite runs beside that loop. Every other reaction is stored by itself.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from feedback_store.errors import (
    EventConflictError,
    FeedbackStoreError,
    ForgottenError,
    InvalidEventError,
    InvalidRecordError,
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
    Reach,
    Reaction,
    Receipt,
    Source,
)
from feedback_store.rows import SqlRow, event_of
from feedback_store.writer import UNSTORABLE, unstorable
from languages.visibility import is_visible

RATE_LIMIT = "rate limit"  # the rule's name among the refusals

_STORED = """
SELECT game, player_id, session_id, turn_id, kind, source, payload, received_at FROM events
"""
_SAME = ("kind", "source", "payload")  # an event says the same when these and its turn are equal
_ABOUT = ("session_id", "character", "player_id", "game")  # of an event's turn or session
_OWN = ("event_id", "turn_id", "kind", "source", "payload", "created_at", "received_at")
_COLUMNS = (*_ABOUT, *_OWN, "occurred_at")
_own = itemgetter(*_OWN)
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_REFUSED = """
INSERT INTO refusals (day, character, rule, events) VALUES (?, ?, ?, 1)
ON CONFLICT DO UPDATE SET events = events + 1
"""

# Many at once: what each is about, and the insert. The left table of a left join is read first, so
# a lookup is by key.
_MANY_ABOUT = """
SELECT json_group_array(json_array(
    item.key, turns.session_id, turns.character, turns.player_id, turns.game,
    turns.created_at,
    events.event_id IS NOT NULL
))
FROM json_each(?) AS item
LEFT JOIN turns ON turns.turn_id = item.value ->> 1
LEFT JOIN events ON events.event_id = item.value ->> 0
"""
_MANY_INSERT = f"""
INSERT INTO events ({", ".join(_COLUMNS)})
SELECT {", ".join(f"value ->> {place}" for place in range(len(_COLUMNS)))} FROM json_each(?)
"""
_FEW = 4  # reactions; fewer are quicker one by one


@dataclass(frozen=True)
class _About:
    """Whose turn or session a reaction is about."""

    session_id: str
    character: str
    player_id: str
    game: str
    since: str  # when the turn ended or the session began: nothing happened to it before


@dataclass(frozen=True)
class Submission:
    """A reaction on its way in."""

    reaction: Reaction
    row: SqlRow  # columns taken from the reaction; the turn supplies the rest
    received_at: datetime

    def receipt(self, about: _About) -> Receipt:
        """The receipt once it is stored."""
        occurred_at = self.occurred_at(about)
        happened_at = datetime.fromisoformat(occurred_at) if occurred_at else None
        return Receipt(
            self.reaction.event_id,
            self.received_at,
            duplicate=False,
            happened_at=happened_at or self.reaction.created_at,
        )

    def occurred_at(self, about: _About) -> str | None:
        """When it happened, as far as that can be: a player's clock may be wrong."""
        said: str | None = self.row["occurred_at"]
        return min(max(said, about.since), self.row["created_at"]) if said else None


#: What becomes of a reaction: its receipt, or why it was not stored.
ReceiptOrError = Receipt | FeedbackStoreError


class Intake:
    """Checks and stores reactions. Used by one thread."""

    def __init__(self, limit: RateLimit) -> None:
        self._buckets = Buckets(limit)

    def take_all(
        self, db: sqlite3.Connection, items: Sequence[Submission | InvalidRecordError]
    ) -> list[ReceiptOrError]:
        """Store each reaction on its own; one receipt or error per item, in order.

        An item that is an error already stays as it is.
        """
        receipts: dict[int, ReceiptOrError] = {}
        if len(items) >= _FEW:
            receipts = self._take_plain(db, _plain(items))
        for index, item in enumerate(items):
            if index not in receipts:
                receipts[index] = self._take(db, item) if isinstance(item, Submission) else item
        return [receipts[index] for index in range(len(items))]

    def _take_plain(
        self, db: sqlite3.Connection, items: Mapping[int, Submission]
    ) -> dict[int, ReceiptOrError]:
        """Store the new reactions to known turns within the limit; leave out the others."""
        abouts = _abouts(db, items)
        allowed = {
            index: about
            for index, about in abouts.items()
            if _reaches(items[index].reaction, about)
            and not self._wait_s(items[index].reaction, about)
        }
        rows = [_values(items[index], about) for index, about in allowed.items()]
        db.execute(_MANY_INSERT, [json.dumps(rows)])
        return {index: items[index].receipt(about) for index, about in allowed.items()}

    def _take(self, db: sqlite3.Connection, item: Submission) -> ReceiptOrError:
        try:
            return self._store(db, item)
        except FeedbackStoreError as refusal:
            return refusal
        except UNSTORABLE as error:
            return unstorable(error)

    def _store(self, db: sqlite3.Connection, item: Submission) -> ReceiptOrError:
        reaction = item.reaction
        stored = db.execute(f"{_STORED} WHERE event_id = ?", [reaction.event_id]).fetchone()
        if stored is not None and _covers(reaction, *stored[:2]):
            return _first_receipt(stored[2:], item)
        about = _about(db, reaction)
        if stored is not None:
            raise EventConflictError(
                f"event {reaction.event_id!r} is stored already; send a new event under a new id"
            )
        if fault := _fault(reaction):
            raise InvalidEventError(fault)
        if isinstance(reaction.payload, Choice):
            since = _check_choice(db, reaction, reaction.payload)
            about = replace(about, since=since)
        if wait_s := self._wait_s(reaction, about):
            return _over_limit(db, reaction, about, wait_s)
        db.execute(_INSERT, _values(item, about))
        return item.receipt(about)

    def _wait_s(self, reaction: Reaction, about: _About) -> float:
        if reaction.source is Source.DERIVED:
            return 0.0
        return self._buckets.take(about.player_id, time.monotonic())


def _plain(items: Iterable[Submission | InvalidRecordError]) -> dict[int, Submission]:
    """The reactions that need no look-up but their turn's, by their place; each id once."""
    found: dict[str, tuple[int, Submission]] = {}
    for index, item in enumerate(items):
        if isinstance(item, Submission) and _is_plain(item.reaction):
            found.setdefault(item.reaction.event_id, (index, item))
    return dict(found.values())


def _is_plain(reaction: Reaction) -> bool:
    if reaction.session_id or isinstance(reaction.payload, Choice) or _fault(reaction):
        return False
    # What JSON would carry into SQLite as something else.
    ids = reaction.event_id + reaction.turn_id
    return ids.isascii() and ids.isprintable()


def _abouts(db: sqlite3.Connection, items: Mapping[int, Submission]) -> dict[int, _About]:
    """What the new reactions to known turns are about."""
    asked = [[item.reaction.event_id, item.reaction.turn_id] for item in items.values()]
    (found,) = db.execute(_MANY_ABOUT, [json.dumps(asked)]).fetchone()
    places = list(items)
    return {
        places[place]: _About(*about)
        for place, *about, is_known in json.loads(found)
        if about[0] is not None and not is_known
    }


def _over_limit(
    db: sqlite3.Connection, reaction: Reaction, about: _About, wait_s: float
) -> TooManyEventsError:
    today = datetime.now(UTC).date().isoformat()
    db.execute(_REFUSED, [today, about.character, RATE_LIMIT])
    return TooManyEventsError(
        f"event {reaction.event_id!r}: its player sends events faster than the limit; "
        f"send it again in {wait_s:.1f} s",
        wait_s,
    )


def undo(db: sqlite3.Connection, event_id: str, reach: Reach | None) -> Event:
    """Take a player's event back; it stays as history. Doing it again changes nothing.

    Raises UnknownEventError, also for one that is out of reach; None reaches all.
    """
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    which = "event_id = :event AND source = 'explicit'"
    values = {"event": event_id, "now": now}
    if reach is not None:
        which += " AND game = :game AND :player IN ('', player_id)"
        values |= {"game": reach.game, "player": reach.player_id}
    db.execute(f"UPDATE events SET undone_at = :now WHERE {which} AND undone_at IS NULL", values)
    cursor = db.execute(f"SELECT * FROM events WHERE {which}", values)
    stored = cursor.fetchone()
    if stored is None:
        raise UnknownEventError(f"event {event_id!r} is not recorded; there is nothing to undo")
    return event_of(dict(zip((column[0] for column in cursor.description), stored, strict=True)))


def _values(item: Submission, about: _About) -> list[str | None]:
    """The values of an event's row, in the order of the columns."""
    own = _own(item.row)
    whose = (about.session_id, about.character, about.player_id, about.game)
    return [*whose, *own, item.occurred_at(about)]


def _first_receipt(stored: tuple[Any, ...], item: Submission) -> Receipt:
    session_id, turn_id, *said, received_at = stored
    reaction, row = item.reaction, item.row
    differing = [name for name, had in zip(_SAME, said, strict=True) if had != row[name]]
    if turn_id != row["turn_id"] or (turn_id is None and session_id != reaction.session_id):
        differing.append("turn or session")
    if differing:
        raise EventConflictError(
            f"event {reaction.event_id!r} is stored with another {', '.join(differing)}; "
            "send a new event under a new id"
        )
    return Receipt(reaction.event_id, datetime.fromisoformat(received_at), duplicate=True)


def _about(db: sqlite3.Connection, reaction: Reaction) -> _About:
    """Session, character, player and game of what the reaction is about, if it is in reach."""
    if bool(reaction.turn_id) == bool(reaction.session_id):
        raise InvalidEventError(
            f"event {reaction.event_id!r} names turn {reaction.turn_id!r} and session "
            f"{reaction.session_id!r}; name exactly one"
        )
    table, key, since = (
        ("turns", "turn_id", "created_at")
        if reaction.turn_id
        else ("sessions", "session_id", "started_at")
    )
    found = db.execute(
        f"SELECT {', '.join(_ABOUT)}, {since} FROM {table} WHERE {key} = ?",
        [reaction.turn_id or reaction.session_id],
    ).fetchone()
    if found is not None and _reaches(reaction, about := _About(*found)):
        return about
    if reaction.turn_id:
        raise unknown_turn(reaction.turn_id)
    if found is not None:
        raise _not_recorded(reaction.session_id, f"event {reaction.event_id!r}")
    raise unknown_session(db, reaction.session_id, f"event {reaction.event_id!r}")


def unknown_turn(turn_id: str) -> UnknownTurnError:
    """The error about a turn that is not recorded."""
    return UnknownTurnError(
        f"turn {turn_id!r} is not recorded; check the id in Started: an event can be stored when "
        "its turn has finished"
    )


def unknown_session(
    db: sqlite3.Connection, session_id: str, who: str
) -> UnknownSessionError | ForgottenError:
    """The error about a session that is not recorded, or was forgotten."""
    forgotten = "SELECT 1 FROM forgotten_sessions WHERE session_id = ?"
    if db.execute(forgotten, [session_id]).fetchone():
        return ForgottenError(
            f"{who} belongs to session {session_id!r}, whose player was forgotten; it is not kept"
        )
    return _not_recorded(session_id, who)


def _not_recorded(session_id: str, who: str) -> UnknownSessionError:
    return UnknownSessionError(
        f"{who} names session {session_id!r}, which is not recorded; record the session first"
    )


def _reaches(reaction: Reaction, about: _About) -> bool:
    return _covers(reaction, about.game, about.player_id)


def _covers(reaction: Reaction, game: str, player_id: str) -> bool:
    return reaction.reach is None or reaction.reach.covers(game, player_id)


def _fault(reaction: Reaction) -> str:
    """What makes no sense in a reaction, seen by itself; "" when nothing does."""
    if not reaction.turn_id and reaction.kind is not Kind.OUTCOME:
        return f"a {reaction.kind} is about one turn; only an outcome may name a session instead"
    match reaction.payload:
        case Choice(over_turn_ids=over, kept_position=position) if position > len(over) + 1:
            return (
                f"choice {reaction.event_id!r} was kept at position {position} of "
                f"{len(over) + 1} takes shown; count from 1"
            )
        case Edit(text=text) if not is_visible(text):
            return (
                f"edit {reaction.event_id!r} has no text; "
                "to say only that the reply is bad, thumb it down"
            )
        case Rating(stars=stars) if not MIN_STARS <= stars <= MAX_STARS:
            return (
                f"rating {reaction.event_id!r} has {stars} stars; give {MIN_STARS} to {MAX_STARS}"
            )
        case Outcome(name=name) if not is_visible(name):
            return f"outcome {reaction.event_id!r} has no name; name the quest or goal it is of"
    return ""


def _check_choice(db: sqlite3.Connection, reaction: Reaction, choice: Choice) -> str:
    """When the last of the takes ended. Raises InvalidEventError and UnknownTurnError."""
    kept_turn_id = reaction.turn_id
    if not choice.over_turn_ids:
        raise InvalidEventError(
            f"the choice of turn {kept_turn_id!r} names no other turn; name those shown beside"
        )
    if len({kept_turn_id, *choice.over_turn_ids}) <= len(choice.over_turn_ids):
        raise InvalidEventError(
            f"the choice of turn {kept_turn_id!r} names a turn twice; name the others once each"
        )
    *kept_prompt, since = _prompt_and_end(db, reaction, kept_turn_id)
    for turn_id in choice.over_turn_ids:
        *prompt, end = _prompt_and_end(db, reaction, turn_id)
        since = max(since, end)
        if prompt != kept_prompt:
            raise InvalidEventError(
                f"turn {kept_turn_id!r} is chosen over {turn_id!r}, which answers another "
                "prompt; a choice is among takes on one prompt of one session"
            )
    return since


def _prompt_and_end(
    db: sqlite3.Connection, reaction: Reaction, turn_id: str
) -> tuple[str, bytes, str]:
    sql = """
    SELECT game, player_id, session_id, prompt_ids, created_at FROM turns WHERE turn_id = ?
    """
    found = db.execute(sql, [turn_id]).fetchone()
    if found is None or not _covers(reaction, *found[:2]):
        raise unknown_turn(turn_id)
    session_id, prompt_ids, created_at = found[2:]
    return session_id, prompt_ids, created_at
