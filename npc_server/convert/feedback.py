"""Events of `npc.v1.Feedback`, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from feedback_store.records import (
    MAX_STARS,
    MIN_STARS,
    Choice,
    Edit,
    Outcome,
    Payload,
    Rating,
    Reach,
    Reaction,
    Reason,
    Receipt,
    Sign,
    Signal,
    Thumb,
)
from npc.v1 import feedback_pb2
from npc_server.convert.moments import timestamp_of
from npc_server.errors import InvalidRequestError, retry_after_ms, status_of
from npc_server.limits import MAX_TAKES, check_id, check_text
from npc_server.reactions import ParsedEvent, SubmitResult
from npc_server.signals import DERIVED_PREFIX


def parse_batch(
    message: feedback_pb2.SubmitBatchRequest, now: datetime, reach: Reach | None = None
) -> list[ParsedEvent]:
    """The events of a message, each a microsecond later than the one before it."""
    return [
        _parse_or_error(request, now + timedelta(microseconds=i), reach)
        for i, request in enumerate(message.events)
    ]


def _parse_or_error(
    request: feedback_pb2.SubmitRequest, now: datetime, reach: Reach | None
) -> ParsedEvent:
    try:
        return parse_reaction(request, now, reach)
    except InvalidRequestError as error:
        return error


def parse_reaction(
    request: feedback_pb2.SubmitRequest, now: datetime, reach: Reach | None = None
) -> Reaction:
    """The event of a request that arrived at `now`, of a sender with that reach; None = all.

    Raises InvalidRequestError.
    """
    event_id = check_id("event_id", request.event_id)
    if event_id.startswith(DERIVED_PREFIX):
        raise InvalidRequestError(
            f"event_id {event_id!r} starts with {DERIVED_PREFIX!r}, which only the server may use"
        )
    kind = request.WhichOneof("reaction")
    if kind is None:
        raise InvalidRequestError(f"no reaction is set; send one of {', '.join(_PAYLOADS)}")
    payload = _PAYLOADS[kind](getattr(request, kind))
    occurred_at = _occurred_at(request)
    if request.session_id and not request.turn_id:
        session_id = check_id("session_id", request.session_id)
        turn_id = ""
    else:
        turn_id, session_id = check_id("turn_id", request.turn_id), request.session_id
    return Reaction(
        event_id, payload, now, turn_id, session_id, occurred_at=occurred_at, reach=reach
    )


def _occurred_at(request: feedback_pb2.SubmitRequest) -> datetime | None:
    if not request.HasField("occurred_at"):
        return None
    try:
        return request.occurred_at.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(
            f"occurred_at has {request.occurred_at.seconds} seconds and"
            f" {request.occurred_at.nanos} nanos, which is no time; count from 1970 in seconds"
        ) from error


def _thumb(thumb: feedback_pb2.Thumb) -> Thumb:
    if thumb.up and thumb.reasons:
        raise InvalidRequestError("thumb.reasons go with a thumb down; leave them out with up")
    if len(thumb.reasons) > len(_REASONS):
        raise InvalidRequestError(f"thumb.reasons holds {len(thumb.reasons)}; name each once")
    return Thumb(thumb.up, tuple(_reason(number) for number in thumb.reasons))


def _reason(number: int) -> Reason:
    if number not in _REASONS:
        known = ", ".join(reason.name for reason in _REASONS.values())
        raise InvalidRequestError(f"thumb.reasons holds {number}; known: {known}")
    return _REASONS[number]


def _choice(choice: feedback_pb2.Choice) -> Choice:
    if len(choice.over_turn_ids) > MAX_TAKES:
        raise InvalidRequestError(
            f"choice.over_turn_ids holds {len(choice.over_turn_ids)}; name at most {MAX_TAKES}"
        )
    over = tuple(check_id("choice.over_turn_ids", i) for i in choice.over_turn_ids)
    return Choice(over, choice.kept_position)


def _edit(edit: feedback_pb2.Edit) -> Edit:
    return Edit(check_text("edit.text", edit.text))


def _rating(rating: feedback_pb2.Rating) -> Rating:
    if not MIN_STARS <= rating.stars <= MAX_STARS:
        raise InvalidRequestError(
            f"rating.stars is {rating.stars}; give {MIN_STARS} to {MAX_STARS}"
        )
    return Rating(rating.stars)


def _outcome(outcome: feedback_pb2.Outcome) -> Outcome:
    return Outcome(outcome.success, check_id("outcome.name", outcome.name))


def _signal(signal: feedback_pb2.Signal) -> Signal:
    if signal.sign not in _SIGNS:
        known = ", ".join(sign.name for sign in _SIGNS.values())
        raise InvalidRequestError(f"signal.sign is {signal.sign}; known: {known}")
    return Signal(_SIGNS[signal.sign])


_PAYLOADS: Mapping[str, Callable[[Any], Payload]] = {
    "thumb": _thumb,
    "choice": _choice,
    "edit": _edit,
    "rating": _rating,
    "outcome": _outcome,
    "signal": _signal,
}

_REASONS = {
    number: Reason[name.removeprefix("REASON_")]
    for name, number in feedback_pb2.Reason.items()
    if number != feedback_pb2.REASON_UNSPECIFIED
}

#: Those that a game may send; the server derives the others.
_SIGNS = {
    number: Sign[name.removeprefix("SIGN_")]
    for name, number in feedback_pb2.Sign.items()
    if number != feedback_pb2.SIGN_UNSPECIFIED
}


def submit_response(receipt: Receipt) -> feedback_pb2.SubmitResponse:
    """The response to Submit."""
    return feedback_pb2.SubmitResponse(
        event_id=receipt.event_id,
        received_at=timestamp_of(receipt.received_at),
        duplicate=receipt.duplicate,
    )


def submit_batch_response(
    ids: Sequence[str], results: Sequence[SubmitResult]
) -> feedback_pb2.SubmitBatchResponse:
    """The response to SubmitBatch."""
    stamps: dict[datetime, Timestamp] = {}  # events that were stored together share one
    statuses = [
        _stored_status(result, stamps)
        if isinstance(result, Receipt)
        else _refused_status(event_id, result)
        for event_id, result in zip(ids, results, strict=True)
    ]
    return feedback_pb2.SubmitBatchResponse(statuses=statuses)


def _stored_status(receipt: Receipt, stamps: dict[datetime, Timestamp]) -> feedback_pb2.EventStatus:
    moment = receipt.received_at
    if moment not in stamps:
        stamps[moment] = timestamp_of(moment)
    return feedback_pb2.EventStatus(
        event_id=receipt.event_id, received_at=stamps[moment], duplicate=receipt.duplicate
    )


def _refused_status(event_id: str, error: Exception) -> feedback_pb2.EventStatus:
    return feedback_pb2.EventStatus(
        event_id=event_id,
        code=(status_of(error) or grpc.StatusCode.INTERNAL).value[0],
        message=str(error),
        retry_after_ms=retry_after_ms(error),
    )
