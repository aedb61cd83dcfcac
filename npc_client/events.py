"""Feedback events as they are made: with an id, so that each counts once, and with their time."""

from __future__ import annotations

import uuid
from typing import Any

from npc.v1 import feedback_pb2

SubmitRequest = feedback_pb2.SubmitRequest  # one event; what an offline queue keeps
EventStatus = feedback_pb2.EventStatus  # whether it was stored, or why not
#: What a thumb may give as its reason.
REASONS = tuple(name.removeprefix("REASON_").lower() for name in feedback_pb2.Reason.keys()[1:])


def new_event_id() -> str:
    """An id for one feedback event; send the same one again when unsure whether it arrived."""
    return uuid.uuid4().hex


def new_event(turn_id: str = "", **reaction: Any) -> SubmitRequest:
    """An event that happens now, to be sent now or kept in a queue: `thumb=Thumb(up=True)`.

    It carries its time, so that it counts from now however late it arrives. Name `session_id`
    instead of a turn for the outcome of a whole session.
    """
    event = SubmitRequest(event_id=new_event_id(), turn_id=turn_id, **reaction)
    event.occurred_at.GetCurrentTime()
    return event
