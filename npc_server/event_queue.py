"""Speech first: while somebody speaks, events wait for each other and are stored together.

On few cores an event that comes alone takes time from the replies that run beside it: a commit, an
answer, and dozens of changes of threads, after each of which the engine's threads wait for each
other. In portions it costs a fraction. So while a reply is generated events gather, and a portion
of them is stored now and then: rarely enough that the server's process keeps to its share of the
processor, as long as that keeps nobody waiting for too long. Who sends the next event after the
answer to the last is slowed down by that; beyond MAX_WAITING calls are refused with a time to come
back. Nothing is answered before it is on disk. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from feedback_store.errors import FeedbackStoreError
from feedback_store.intake import ReceiptOrError
from feedback_store.records import Event, Reach, Reaction
from feedback_store.store import Store
from npc_server.errors import EventsWaitError

LOOK_EVERY_S = 0.1  # the shortest time between two portions
LONGEST_S = 2.0  # the longest, while events wait
SHARE = 0.125  # of the machine's processor time, for the whole process: replies on their way too
PORTION = 64  # events, or one call's: what holds up the replies at once
MAX_WAITING = 2_000  # calls
FIRST_RETRY_S = 1.0  # for those beyond it, at least


@dataclass
class _Call:
    """The events of one call, and the future of what becomes of them."""

    reactions: Sequence[Reaction]
    results: asyncio.Future[list[ReceiptOrError]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(frozen=True)
class Moment:
    """A point in time, and the processor time that this process had used until then."""

    at_s: float = field(default_factory=time.monotonic)
    used_s: float = field(default_factory=time.process_time)


class EventQueue:
    """Stores events for one server; `is_speaking` tells whether anybody waits for a reply."""

    def __init__(self, store: Store, is_speaking: Callable[[], bool]) -> None:
        self._store = store
        self._is_speaking = is_speaking
        self._calls: deque[_Call] = deque()
        self._last = Moment()  # when a portion was stored
        self._timer: asyncio.TimerHandle | None = None
        self._answering: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """The number of calls whose events wait."""
        return len(self._calls)

    async def store(self, reactions: Sequence[Reaction]) -> list[ReceiptOrError]:
        """Store events, in a while if somebody speaks: one receipt or error per event, in order.

        Raises EventsWaitError, StoreUnavailableError.
        """
        if not self._calls and not self._is_speaking():
            return await self.store_now(reactions)
        if len(self._calls) >= MAX_WAITING:
            raise _too_many(self._calls)
        call = _Call(reactions)
        self._calls.append(call)
        self._look_again()
        return await call.results

    async def store_now(self, reactions: Sequence[Reaction]) -> list[ReceiptOrError]:
        """Store events that a conversation waits for. Raises StoreUnavailableError."""
        return await asyncio.wrap_future(self._store.submit_all(reactions))

    async def undo(self, event_id: str, reach: Reach | None = None) -> Event:
        """Take an event back that is in reach, also one that waits. Raises UnknownEventError,
        StoreUnavailableError.
        """
        if any(one.event_id == event_id for call in self._calls for one in call.reactions):
            self._store_calls(len(self._calls))  # the store takes writes in this order
        return await asyncio.wrap_future(self._store.undo(event_id, reach))

    def _look_again(self) -> None:
        if self._timer is None and self._calls:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        if count := self._due():
            self._store_calls(count)
        self._look_again()

    def _due(self) -> int:
        """How many of the oldest calls may be stored now."""
        if not self._is_speaking():
            return len(self._calls)
        return _in_portion(self._calls) if is_due(self._last, Moment(), _cores()) else 0

    def _store_calls(self, count: int) -> None:
        """Hand the oldest calls to the store, as one write."""
        calls = [self._calls.popleft() for _ in range(count)]
        self._last = Moment()
        stored = self._store.submit_all([one for call in calls for one in call.reactions])
        task = asyncio.create_task(_answer(calls, stored))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


def is_due(last: Moment, now: Moment, cores: int) -> bool:
    """Whether the next portion may be stored: the process has kept to its share since the last."""
    elapsed_s = now.at_s - last.at_s
    return now.used_s - last.used_s <= SHARE * cores * elapsed_s or elapsed_s >= LONGEST_S


async def _answer(calls: Sequence[_Call], stored: Future[list[ReceiptOrError]]) -> None:
    try:
        answers = await asyncio.wrap_future(stored)
    except FeedbackStoreError as error:
        for call in calls:
            call.results.set_exception(error)
        return
    results = iter(answers)
    for call in calls:
        call.results.set_result([next(results) for _ in call.reactions])


def _in_portion(calls: Sequence[_Call]) -> int:
    """How many of the oldest calls make a portion."""
    events = 0
    for count, call in enumerate(calls):
        if events and events + len(call.reactions) > PORTION:
            return count
        events += len(call.reactions)
    return len(calls)


def _too_many(calls: Sequence[_Call]) -> EventsWaitError:
    portions = sum(len(call.reactions) for call in calls) / PORTION
    return EventsWaitError(
        f"{len(calls)} calls with events wait while characters speak; send this one again in a"
        " while",
        retry_after_s=max(FIRST_RETRY_S, portions * LOOK_EVERY_S),
    )


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
