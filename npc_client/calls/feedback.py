"""Calls of `npc.v1.Feedback`: what players thought and did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc.aio

from npc.v1 import feedback_pb2, feedback_pb2_grpc
from npc_client.courier import Courier
from npc_client.events import EventStatus, SubmitRequest, new_event

EVENTS_PER_MESSAGE = 256  # the most the contract takes


class FeedbackCalls:
    """Reports what became of replies."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._feedback: Any = feedback_pb2_grpc.FeedbackStub(channel)
        self._courier: Courier[SubmitRequest, feedback_pb2.SubmitResponse]
        self._courier = Courier(self._feedback.Submit)

    async def thumb(self, turn_id: str, up: bool, reasons: Sequence[str] = ()) -> str:
        """Like or dislike a reply; `reasons` are among REASONS. Returns the event's id."""
        names = [f"REASON_{name.upper()}" for name in reasons]
        return await self._react(turn_id, thumb=feedback_pb2.Thumb(up=up, reasons=names))

    async def choose(
        self, kept_turn_id: str, over_turn_ids: Sequence[str], kept_position: int = 0
    ) -> str:
        """Keep one take over others; `kept_position` among all shown counts from 1, 0 = unknown.

        Returns the event's id.
        """
        choice = feedback_pb2.Choice(over_turn_ids=over_turn_ids, kept_position=kept_position)
        return await self._react(kept_turn_id, choice=choice)

    async def edit(self, turn_id: str, text: str) -> str:
        """Send what the character should have said. Returns the event's id."""
        return await self._react(turn_id, edit=feedback_pb2.Edit(text=text))

    async def rate(self, turn_id: str, stars: int) -> str:
        """Give 1 to 5 stars. Returns the event's id."""
        return await self._react(turn_id, rating=feedback_pb2.Rating(stars=stars))

    async def outcome(
        self, name: str, success: bool, turn_id: str = "", session_id: str = ""
    ) -> str:
        """Credit a turn, or a whole session, with how a quest ended. Returns the event's id."""
        outcome = feedback_pb2.Outcome(name=name, success=success)
        return await self._react(turn_id, session_id=session_id, outcome=outcome)

    async def signal(self, turn_id: str, sign: str) -> str:
        """Report what the player did without judging, such as "skipped". Returns the event's id."""
        signal = feedback_pb2.Signal(sign=f"SIGN_{sign.upper()}")
        return await self._react(turn_id, signal=signal)

    async def _react(self, turn_id: str, **reaction: Any) -> str:
        event = new_event(turn_id, **reaction)
        await self.submit(event)
        return str(event.event_id)

    async def submit(self, event: SubmitRequest) -> feedback_pb2.SubmitResponse:
        """Send one event, again if the server asks to wait; raises its refusal after a minute."""
        return await self._courier.send(event)

    async def submit_batch(self, events: Sequence[SubmitRequest]) -> list[EventStatus]:
        """Send up to 10,000 events in the order they happened; returns one status per event."""
        messages = (
            feedback_pb2.SubmitBatchRequest(events=events[i : i + EVENTS_PER_MESSAGE])
            for i in range(0, len(events), EVENTS_PER_MESSAGE)
        )
        answer = await self._feedback.SubmitBatch(messages)
        return list(answer.statuses)

    async def undo(self, event_id: str) -> str:
        """Take an event back. Returns the turn it was about."""
        request = feedback_pb2.UndoRequest(event_id=event_id)
        answer: feedback_pb2.UndoResponse = await self._feedback.Undo(request)
        return answer.turn_id
