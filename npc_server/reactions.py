"""Players' reactions to replies: stored, then applied to the open conversations.

Nothing here reads the database: the store finds out whose turn it is while it writes. An event may
come before its turn is recorded, so one whose turn is unknown is retried for a while. Personal data
is taken out of a correction before anything else sees it. A stored reaction is applied even when
the caller has gone meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

import grpc

from feedback_store.errors import (
    FeedbackStoreError,
    StoreUnavailableError,
    UnknownSessionError,
    UnknownTurnError,
)
from feedback_store.intake import ReceiptOrError
from feedback_store.privacy.policy import Policy, careful
from feedback_store.privacy.redaction import redact
from feedback_store.records import Choice, Edit, Event, Kind, Reach, Reaction, Receipt
from npc_server.errors import EventsWaitError, InvalidRequestError, status_of
from npc_server.event_queue import EventQueue
from npc_server.recorder import Recorder
from npc_server.sessions import Sessions

FIRST_PAUSE_S, LAST_PAUSE_S = 0.02, 1.0  # between tries; the pause doubles
MAX_WAITING = 1_000  # events that wait for their turns; more are not retried
PORTIONS_IN_FLIGHT = 8  # per call

#: The receipt of one event, or why it was not stored.
SubmitResult: TypeAlias = Receipt | FeedbackStoreError | InvalidRequestError | EventsWaitError
ParsedEvent: TypeAlias = Reaction | InvalidRequestError  # why it is malformed
#: Gets the kind of an event, None for a malformed one, and its status.
Count: TypeAlias = Callable[[Kind | None, grpc.StatusCode], None]

_NOT_YET = (UnknownTurnError, UnknownSessionError)


class Reactions:
    """Stores events, and undoes them."""

    def __init__(
        self,
        queue: EventQueue,
        sessions: Sessions,
        recorder: Recorder,
        count: Count,
        turn_wait_s: float,
        redaction: Callable[[], Policy] = careful,  # of corrections, at the moment
    ) -> None:
        self._queue = queue
        self._sessions = sessions
        self._recorder = recorder
        self._count = count
        self._turn_wait_s = turn_wait_s
        self._redaction = redaction
        self._waiting = 0  # events

    async def submit(self, event: ParsedEvent) -> SubmitResult:
        """Store one event."""
        portion = [self._redact(event)]
        return (await self._finish_with_retries(portion, await self._submit_once(portion)))[0]

    async def submit_all(
        self, portions: AsyncIterable[Sequence[ParsedEvent]]
    ) -> list[SubmitResult]:
        """Store portions as they arrive, several in flight; one result per event, in order."""
        gate = asyncio.Semaphore(PORTIONS_IN_FLIGHT)
        tasks: list[asyncio.Task[list[SubmitResult]]] = []
        try:
            async for portion in portions:
                await gate.acquire()
                tasks.append(asyncio.create_task(self._submit_portion(portion, gate)))
            return [result for task in tasks for result in await task]
        finally:
            for task in tasks:
                task.cancel()

    async def undo(self, event_id: str, reach: Reach | None = None) -> Event:
        """Take an event back that is in reach. Raises UnknownEventError, StoreUnavailableError."""
        return await asyncio.shield(self._undo(event_id, reach))

    async def _submit_portion(
        self, portion: Sequence[ParsedEvent], gate: asyncio.Semaphore
    ) -> list[SubmitResult]:
        portion = [self._redact(event) for event in portion]
        try:
            results = await self._submit_once(portion)
        finally:
            gate.release()  # an event that waits for its turn delays no other
        return await self._finish_with_retries(portion, results)

    async def _submit_once(self, portion: Sequence[ParsedEvent]) -> list[SubmitResult]:
        """Try to store the well-formed events once; one result per event."""
        reactions = [event for event in portion if isinstance(event, Reaction)]
        stored = iter(await asyncio.shield(self._submit_batch(reactions)) if reactions else ())
        return [next(stored) if isinstance(event, Reaction) else event for event in portion]

    async def _submit_batch(self, reactions: list[Reaction]) -> list[SubmitResult]:
        # Shielded by its caller: what is stored is applied, whether or not the client still waits.
        try:
            results = await self._store_all(reactions)
        except (FeedbackStoreError, EventsWaitError) as error:
            return [error] * len(reactions)
        for reaction, result in zip(reactions, results, strict=True):
            if isinstance(result, Receipt) and not result.duplicate:
                self._apply(reaction, result.happened_at or reaction.created_at)
        return list(results)

    async def _store_all(self, reactions: list[Reaction]) -> list[ReceiptOrError]:
        # What a character goes on from is part of its conversation, and does not wait for others.
        if any(self._steers(reaction) for reaction in reactions):
            return await self._queue.store_now(reactions)
        return await self._queue.store(reactions)

    def _steers(self, reaction: Reaction) -> bool:
        """Whether an open conversation goes on from what the player kept or wrote."""
        if not isinstance(reaction.payload, (Choice, Edit)):
            return False
        return self._sessions.of_turn(reaction.turn_id) is not None

    async def _finish_with_retries(
        self, portion: Sequence[ParsedEvent], results: list[SubmitResult]
    ) -> list[SubmitResult]:
        """Retry events whose turns are unknown, count all, and return the last results."""
        early = [i for i, result in enumerate(results) if isinstance(result, _NOT_YET)]
        if patient := early[: MAX_WAITING - self._waiting]:
            self._waiting += len(patient)
            try:
                await self._retry(portion, results, patient)
            finally:
                self._waiting -= len(patient)
        for event, result in zip(portion, results, strict=True):
            self._count(event.kind if isinstance(event, Reaction) else None, _status(result))
        return results

    async def _retry(
        self, portion: Sequence[ParsedEvent], results: list[SubmitResult], early: list[int]
    ) -> None:
        """Retry the events at `early` until their turns are known or the time is over."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._turn_wait_s
        pause_s = FIRST_PAUSE_S
        while early and (left_s := deadline_s - loop.time()) > 0:
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, LAST_PAUSE_S)
            again = await self._submit_once([portion[i] for i in early])
            for i, result in zip(early, again, strict=True):
                results[i] = result
            early = [i for i in early if isinstance(results[i], _NOT_YET)]
        for i in early:
            results[i] = self._explain_unknown(portion[i], results[i])

    def _explain_unknown(self, event: ParsedEvent, result: SubmitResult) -> SubmitResult:
        if not isinstance(result, _NOT_YET) or not isinstance(event, Reaction):
            return result
        if not any(self._recorder.holds(id_) for id_ in _names(event)):
            return result
        if not self._reaches(event):
            return result
        return StoreUnavailableError(
            f"the turn or session of event {event.event_id!r} still waits for the feedback store;"
            " send the event again in a few seconds"
        )

    def _reaches(self, event: Reaction) -> bool:
        """Whether an event is about an open session that its sender may know of."""
        session = self._sessions.of_turn(event.turn_id) or self._sessions.find(event.session_id)
        if event.reach is None or session is None:
            return event.reach is None
        return event.reach.covers(session.record.game, session.record.player_id)

    def _redact(self, event: ParsedEvent) -> ParsedEvent:
        if isinstance(event, Reaction) and isinstance(event.payload, Edit):
            return replace(event, payload=Edit(redact(event.payload.text, self._redaction())))
        return event

    def _apply(self, reaction: Reaction, happened_at: datetime) -> None:
        """Continue the open conversation from what the player kept or rewrote."""
        session = self._sessions.of_turn(reaction.turn_id)
        if session is None:
            return
        match reaction.payload:
            case Choice():
                session.keep(reaction.turn_id, reaction.event_id, happened_at)
            case Edit(text=text):
                session.correct(reaction.turn_id, text, reaction.event_id, happened_at)

    async def _undo(self, event_id: str, reach: Reach | None) -> Event:
        event = await self._queue.undo(event_id, reach)
        session = self._sessions.of_turn(event.turn_id)
        if session is not None:
            match event.payload:
                case Choice():
                    session.unkeep(event.turn_id, event.event_id)
                case Edit(text=text):
                    session.uncorrect(event.turn_id, text, event.event_id)
        return event


def _names(reaction: Reaction) -> tuple[str, ...]:
    """The ids of the turns and the session that an event names."""
    others = reaction.payload.over_turn_ids if isinstance(reaction.payload, Choice) else ()
    return (reaction.turn_id, reaction.session_id, *others)


def _status(result: SubmitResult) -> grpc.StatusCode:
    if isinstance(result, Receipt):
        return grpc.StatusCode.OK
    return status_of(result) or grpc.StatusCode.INTERNAL
