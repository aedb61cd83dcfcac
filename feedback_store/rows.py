"""Records as table rows and back: pure, one pair of functions per record.

Row keys are column names. Times are ISO 8601 in UTC with microseconds, so that text order is time
order. JSON is written in one canonical form, so that equal records make equal rows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from feedback_store.memory_records import Finder, Span, Statement, Summary
from feedback_store.records import (
    ActionReport,
    Checkpoint,
    Choice,
    Edit,
    Event,
    Kind,
    LivedExchange,
    Outcome,
    Payload,
    Rating,
    Reaction,
    Reason,
    Session,
    Sign,
    Signal,
    Source,
    Thumb,
    Turn,
    pack_ids,
    unpack_ids,
)

SqlRow: TypeAlias = Mapping[str, Any]


def canonical(value: object) -> str:
    """The one JSON text of a value. Raises ValueError or TypeError for what JSON cannot hold."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=64)  # the events of one message share theirs
def time_text(moment: datetime) -> str:
    """A time as stored. Raises ValueError for one without a timezone."""
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()} has no timezone; pass an aware one, as UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def session_row(session: Session) -> SqlRow:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {
        **_plain(session),
        "consent": int(session.consent),
        "started_at": time_text(session.started_at),
        "memory": session.memory.value,
        "present": canonical(list(session.present)),
    }


def session_of(row: SqlRow) -> Session:
    """The session that `session_row` wrote."""
    parsed = {
        "consent": bool(row["consent"]),
        "started_at": datetime.fromisoformat(row["started_at"]),
        "memory": Span(row["memory"]),
        "present": tuple(json.loads(row["present"])),
    }
    return Session(**{**row, **parsed})


def turn_row(turn: Turn) -> SqlRow:
    """Raises ValueError, TypeError or struct.error for a value that cannot be stored."""
    return {
        **_plain(turn),
        "messages": canonical(turn.messages),
        "prompt_ids": pack_ids(turn.prompt_ids),
        "reply_ids": pack_ids(turn.reply_ids),
        "sampling": canonical(dict(turn.sampling)),
        "annotations": canonical(dict(turn.annotations)),
        "created_at": time_text(turn.created_at),
        "consent": int(turn.consent),
        "rolled_back": int(turn.rolled_back),
    }


def turn_of(row: SqlRow) -> Turn:
    """The turn that `turn_row` wrote."""
    parsed = {
        "messages": tuple(json.loads(row["messages"])),
        "prompt_ids": unpack_ids(row["prompt_ids"]),
        "reply_ids": unpack_ids(row["reply_ids"]),
        "sampling": json.loads(row["sampling"]),
        "annotations": json.loads(row["annotations"]),
        "created_at": datetime.fromisoformat(row["created_at"]),
        "consent": bool(row["consent"]),
        "rolled_back": bool(row["rolled_back"]),
    }
    return Turn(**{**row, **parsed})


def reaction_row(reaction: Reaction, received_at: datetime) -> SqlRow:
    """The columns of the event that the reaction supplies; its turn supplies the rest.

    Raises ValueError or TypeError for a value that cannot be stored.
    """
    payload = reaction.payload
    return {
        "event_id": reaction.event_id,
        "turn_id": reaction.turn_id or None,
        "kind": reaction.kind.value,
        "source": reaction.source.value,
        "payload": _small_text(payload)
        if isinstance(payload, _SMALL)
        else canonical(vars(payload)),
        "created_at": time_text(reaction.created_at),
        "received_at": time_text(received_at),
        "occurred_at": time_text(reaction.occurred_at) if reaction.occurred_at else None,
    }


@lru_cache(maxsize=1024)
def _small_text(payload: Payload) -> str:
    """The text of a payload of which there are few different ones, each seen often."""
    return canonical(vars(payload))


_SMALL = (Thumb, Rating, Signal)


def event_of(row: SqlRow) -> Event:
    """An event as stored, without its time of receipt."""
    return Event(
        event_id=row["event_id"],
        turn_id=row["turn_id"] or "",
        session_id=row["session_id"],
        player_id=row["player_id"],
        payload=payload_of(Kind(row["kind"]), json.loads(row["payload"])),
        created_at=datetime.fromisoformat(row["created_at"]),
        source=Source(row["source"]),
        undone=row["undone_at"] is not None,
        occurred_at=_time_or_none(row["occurred_at"]),
        game=row["game"],
    )


def payload_of(kind: Kind, fields_: SqlRow) -> Payload:
    """The payload whose fields these are."""
    match kind:
        case Kind.THUMB:
            return Thumb(fields_["up"], tuple(Reason(reason) for reason in fields_["reasons"]))
        case Kind.CHOICE:
            return Choice(tuple(fields_["over_turn_ids"]), fields_.get("kept_position", 0))
        case Kind.EDIT:
            return Edit(fields_["text"])
        case Kind.RATING:
            return Rating(fields_["stars"])
        case Kind.OUTCOME:
            return Outcome(fields_["success"], fields_["name"])
        case Kind.SIGNAL:
            return Signal(Sign(fields_["sign"]))


def checkpoint_row(checkpoint: Checkpoint) -> SqlRow:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {
        "token": checkpoint.token,
        "session_id": checkpoint.session_id,
        "exchanges": canonical([lived_fields(lived) for lived in checkpoint.exchanges]),
        "created_at": time_text(checkpoint.created_at),
        "situation": canonical(dict(checkpoint.situation)),
        "rested_s": canonical(dict(checkpoint.rested_s)),
    }


def checkpoint_of(row: SqlRow) -> Checkpoint:
    """The checkpoint that `checkpoint_row` wrote."""
    exchanges = tuple(lived_of(lived) for lived in json.loads(row["exchanges"]))
    created_at, situation = datetime.fromisoformat(row["created_at"]), json.loads(row["situation"])
    rested_s = json.loads(row["rested_s"])
    return Checkpoint(row["token"], row["session_id"], exchanges, created_at, situation, rested_s)


def lived_of(fields_: Mapping[str, Any]) -> LivedExchange:
    """The exchange that `lived_fields` wrote."""
    return LivedExchange(
        tuple(fields_["take_turn_ids"]),
        fields_["kept_turn_id"],
        fields_["text"],
        fields_.get("call_ids", {}),  # absent in older save games, as what follows
        _time_or_none(fields_.get("kept_at")),
        _time_or_none(fields_.get("text_at")),
    )


def lived_fields(lived: LivedExchange) -> dict[str, Any]:
    """An exchange as JSON takes it."""
    times = {
        name: time_text(moment)
        for name, moment in (("kept_at", lived.kept_at), ("text_at", lived.text_at))
        if moment is not None
    }
    return {**asdict(lived), "kept_at": None, "text_at": None, **times}


def _time_or_none(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def action_report_row(report: ActionReport) -> SqlRow:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {**_plain(report), "reported_at": time_text(report.reported_at)}


def action_report_of(row: SqlRow) -> ActionReport:
    """The report that `action_report_row` wrote."""
    return ActionReport(**{**row, "reported_at": datetime.fromisoformat(row["reported_at"])})


def statement_row(statement: Statement) -> SqlRow:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {
        **_plain(statement),
        "finder": statement.finder.value,
        "span": statement.span.value,
        "told_at": time_text(statement.told_at),
    }


def statement_of(row: SqlRow) -> Statement:
    """The statement that `statement_row` wrote."""
    parsed = {
        "finder": Finder(row["finder"]),
        "span": Span(row["span"]),
        "told_at": datetime.fromisoformat(row["told_at"]),
    }
    return Statement(**{**_without_mark(row), **parsed})


def summary_row(summary: Summary) -> SqlRow:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {
        **_plain(summary),
        "turn_ids": canonical(list(summary.turn_ids)),
        "span": summary.span.value,
        "made_at": time_text(summary.made_at),
    }


def summary_of(row: SqlRow) -> Summary:
    """The summary that `summary_row` wrote."""
    parsed = {
        "turn_ids": tuple(json.loads(row["turn_ids"])),
        "span": Span(row["span"]),
        "made_at": datetime.fromisoformat(row["made_at"]),
    }
    return Summary(**{**_without_mark(row), **parsed})


def _without_mark(row: SqlRow) -> dict[str, Any]:
    """A memory's columns but for the one that a load of a save game sets."""
    return {name: value for name, value in row.items() if name != "rolled_back"}


def _plain(record: Session | Turn | Statement | Summary | ActionReport) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
