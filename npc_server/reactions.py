"""What players do about replies: into the store, and into the conversations that go on from it.

Nothing here reads the database: the store finds out whose turn it is while it writes. An event may
come before its turn is recorded, so one whose turn is unknown is tried again for a while. The text
of a correction has personal data taken out before anything sees it. What was stored moves the open
conversation on even when the caller has gone meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import grpc

from feedback_store.errors import (
    FeedbackStoreError,
    StoreUnavailableError,
    UnknownSessionError,
    UnknownTurnError,
)
from feedback_store.privacy.redaction import redact
from feedback_store.records import Choice, Edit, Event, Kind, Reaction, Receipt
from feedback_store.store import Store
from npc_server.errors import InvalidRequestError, status_of
from npc_server.recorder import Recorder
from npc_server.sessions import Sessions

FIRST_PAUSE_S, LAST_PAUSE_S = 0.02, 1.0  # between tries; the pause doubles from one to the other
MAX_WAITING = 1_000  # events that wait for their turn at once; more are answered without waiting
PORTIONS_IN_FLIGHT = 8  # of one call, on their way to the disk

#: What becomes of one event: its receipt, or why it was not stored.
SubmitResult: TypeAlias = Receipt | FeedbackStoreError | InvalidRequestError
ParsedEvent: TypeAlias = Reaction | InvalidRequestError  # the latter when it was malformed
#: Gets the kind of an event, or None of a malformed one, and what became of it.
Count: TypeAlias = Callable[[Kind | None, grpc.StatusCode], None]

_NOT_YET = (UnknownTurnError, UnknownSessionError)


class Reactions:
    """Takes events in, and back."""

    def __init__(
        self, store: Store, sessions: Sessions, recorder: Recorder, count: Count, turn_wait_s: float
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._recorder = recorder
        self._count = count
        self._turn_wait_s = turn_wait_s
        self._waiting = 0  # events

    async def submit(self, asked: ParsedEvent) -> SubmitResult:
        """Take one event."""
        portion = [_redact(asked)]
        return (await self._finish_with_retries(portion, await self._submit_once(portion)))[0]

    async def submit_all(
        self, portions: AsyncIterable[Sequence[ParsedEvent]]
    ) -> list[SubmitResult]:
        """Take what comes, while earlier portions are on their way; the results are in order."""
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

    async def undo(self, event_id: str) -> Event:
        """Take an event back. Raises UnknownEventError, StoreUnavailableError."""
        return await asyncio.shield(self._undo(event_id))

    async def _submit_portion(
        self, portion: Sequence[ParsedEvent], gate: asyncio.Semaphore
    ) -> list[SubmitResult]:
        portion = [_redact(asked) for asked in portion]
        try:
            results = await self._submit_once(portion)
        finally:
            gate.release()  # who waits for a turn holds nobody up
        return await self._finish_with_retries(portion, results)

    async def _submit_once(self, portion: Sequence[ParsedEvent]) -> list[SubmitResult]:
        """Answers after the first try."""
        reactions = [asked for asked in portion if isinstance(asked, Reaction)]
        stored = iter(await asyncio.shield(self._submit_batch(reactions)) if reactions else ())
        return [next(stored) if isinstance(asked, Reaction) else asked for asked in portion]

    async def _submit_batch(self, reactions: list[Reaction]) -> list[SubmitResult]:
        # Shielded by its callers: what is stored is followed, whether or not somebody still waits.
        try:
            results = await asyncio.wrap_future(self._store.submit_all(reactions))
        except FeedbackStoreError as error:
            return [error] * len(reactions)
        for reaction, result in zip(reactions, results, strict=True):
            if isinstance(result, Receipt) and not result.duplicate:
                self._follow(reaction)
        return list(results)

    async def _finish_with_retries(
        self, portion: Sequence[ParsedEvent], results: list[SubmitResult]
    ) -> list[SubmitResult]:
        """Answers after the last try."""
        early = [i for i, result in enumerate(results) if isinstance(result, _NOT_YET)]
        if patient := early[: MAX_WAITING - self._waiting]:
            self._waiting += len(patient)
            try:
                await self._retry(portion, results, patient)
            finally:
                self._waiting -= len(patient)
        for asked, result in zip(portion, results, strict=True):
            self._count(asked.kind if isinstance(asked, Reaction) else None, _status(result))
        return results

    async def _retry(
        self, portion: Sequence[ParsedEvent], results: list[SubmitResult], early: list[int]
    ) -> None:
        """Try these again until their turns are known, or the time is over."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._turn_wait_s
        pause_s = FIRST_PAUSE_S
        while early and (left_s := deadline_s - loop.time()) > 0:
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, LAST_PAUSE_S)
            for i, result in zip(
                early, await self._submit_once([portion[i] for i in early]), strict=True
            ):
                results[i] = result
            early = [i for i in early if isinstance(results[i], _NOT_YET)]
        for i in early:
            results[i] = self._explain_unknown(portion[i], results[i])

    def _explain_unknown(self, asked: ParsedEvent, result: SubmitResult) -> SubmitResult:
        if not isinstance(result, _NOT_YET) or not isinstance(asked, Reaction):
            return result
        if not any(self._recorder.holds(id_) for id_ in _names(asked)):
            return result
        return StoreUnavailableError(
            f"what event {asked.event_id!r} is about waits to be recorded: the feedback store does"
            " not take it now; send the event again in a few seconds"
        )

    def _follow(self, reaction: Reaction) -> None:
        """What the player kept or rewrote is what the conversation goes on from."""
        session = self._sessions.of_turn(reaction.turn_id)
        if session is None:
            return
        match reaction.payload:
            case Choice():
                session.keep(reaction.turn_id, reaction.event_id)
            case Edit(text=text):
                session.correct(reaction.turn_id, text, reaction.event_id)

    async def _undo(self, event_id: str) -> Event:
        event = await asyncio.wrap_future(self._store.undo(event_id))
        session = self._sessions.of_turn(event.turn_id)
        if session is not None:
            match event.payload:
                case Choice():
                    session.unkeep(event.turn_id, event.event_id)
                case Edit(text=text):
                    session.uncorrect(event.turn_id, text, event.event_id)
        return event


def _redact(asked: ParsedEvent) -> ParsedEvent:
    if isinstance(asked, Reaction) and isinstance(asked.payload, Edit):
        return replace(asked, payload=Edit(redact(asked.payload.text)))
    return asked


def _names(reaction: Reaction) -> tuple[str, ...]:
    """Turns and session that an event names."""
    others = reaction.payload.over_turn_ids if isinstance(reaction.payload, Choice) else ()
    return (reaction.turn_id, reaction.session_id, *others)


def _status(result: SubmitResult) -> grpc.StatusCode:
    if isinstance(result, Receipt):
        return grpc.StatusCode.OK
    return status_of(result) or grpc.StatusCode.INTERNAL
