"""What players think of replies, as JSON."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from feedback_store.records import Reach, Reaction, Reason, Thumb
from npc_server.doors.openai.fields import read
from npc_server.errors import InvalidRequestError
from npc_server.limits import check_id
from npc_server.signals import DERIVED_PREFIX
from personas.known_names import no_such


class _Feedback(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str  # of the completion, or the turn_id of one of its choices
    thumb: Literal["up", "down"]
    reasons: list[str] = []
    event_id: str | None = None


def reaction_of(body: bytes, now: datetime, reach: Reach | None = None) -> Reaction:
    """The thumb in a body, of a sender with that reach; None = all.

    Raises InvalidRequestError, which names the field.
    """
    sent = read(_Feedback, body)
    event_id = check_id("event_id", sent.event_id or f"openai-{uuid.uuid4().hex}")
    if event_id.startswith(DERIVED_PREFIX):
        raise InvalidRequestError(f"event_id: only the server may begin one by {DERIVED_PREFIX!r}")
    up = sent.thumb == "up"
    if up and sent.reasons:
        raise InvalidRequestError("reasons: they go with a thumb down; leave them out with up")
    thumb = Thumb(up, tuple(dict.fromkeys(map(_reason, sent.reasons))))
    return Reaction(event_id, thumb, now, check_id("id", sent.id), reach=reach)


def _reason(name: str) -> Reason:
    try:
        return Reason(name.lower())
    except ValueError as error:
        raise InvalidRequestError(f"reasons: {no_such('reason', name, list(Reason))}") from error
