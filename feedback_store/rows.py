"""Records as table rows and back: pure, one pair of functions a record.

Row keys are column names. Times are ISO 8601 in UTC with microseconds, so that text order is time
order. JSON is written in one canonical form, so that equal records make equal rows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, TypeAlias

from feedback_store.records import (
    Choice,
    Edit,
    Event,
    Kind,
    Payload,
    Reason,
    Session,
    Thumb,
    Turn,
    pack_ids,
    unpack_ids,
)

Row: TypeAlias = Mapping[str, Any]


def canonical(value: object) -> str:
    """The one JSON text of a value. Raises ValueError or TypeError for what JSON cannot say."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def time_text(moment: datetime) -> str:
    """A time as stored. Raises ValueError for one without a timezone."""
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()} has no timezone; pass an aware one, as UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def session_row(session: Session) -> Row:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {**_plain(session), "started_at": time_text(session.started_at)}


def session_of(row: Row) -> Session:
    """The session that `session_row` wrote."""
    return Session(**{**row, "started_at": datetime.fromisoformat(row["started_at"])})


def turn_row(turn: Turn) -> Row:
    """Raises ValueError, TypeError or struct.error for a value that cannot be stored."""
    return {
        **_plain(turn),
        "messages": canonical(turn.messages),
        "prompt_ids": pack_ids(turn.prompt_ids),
        "reply_ids": pack_ids(turn.reply_ids),
        "sampling": canonical(dict(turn.sampling)),
        "created_at": time_text(turn.created_at),
    }


def turn_of(row: Row) -> Turn:
    """The turn that `turn_row` wrote."""
    parsed = {
        "messages": tuple(json.loads(row["messages"])),
        "prompt_ids": unpack_ids(row["prompt_ids"]),
        "reply_ids": unpack_ids(row["reply_ids"]),
        "sampling": json.loads(row["sampling"]),
        "created_at": datetime.fromisoformat(row["created_at"]),
    }
    return Turn(**{**row, **parsed})


def event_row(event: Event, received_at: datetime) -> Row:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {
        **_plain(event),
        "kind": event.kind.value,
        "payload": canonical(asdict(event.payload)),
        "created_at": time_text(event.created_at),
        "received_at": time_text(received_at),
    }


def event_of(row: Row) -> Event:
    """The event that `event_row` wrote, without its time of receipt."""
    return Event(
        event_id=row["event_id"],
        turn_id=row["turn_id"],
        player_id=row["player_id"],
        payload=_payload_of(Kind(row["kind"]), json.loads(row["payload"])),
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def _payload_of(kind: Kind, fields_: Row) -> Payload:
    match kind:
        case Kind.THUMB:
            return Thumb(fields_["up"], tuple(Reason(reason) for reason in fields_["reasons"]))
        case Kind.CHOICE:
            return Choice(tuple(fields_["over_turn_ids"]))
        case Kind.EDIT:
            return Edit(fields_["text"])


def _plain(record: Session | Turn | Event) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
