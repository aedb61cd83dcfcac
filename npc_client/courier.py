"""How a client sends events that the server cannot take yet: again, later, and in their order.

A refusal that says when to come back (`retry-after-ms` in its trailing metadata) is obeyed, longer
each time and never by all clients at the same moment. Events about the same turn follow each other,
so a later one waits until an earlier one has arrived; those about other turns do not. An event
keeps its id, so one that was stored and not answered is not stored twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

import grpc.aio

RETRY_AFTER_KEY = "retry-after-ms"
PATIENCE_S = 60.0  # with a server that asks to wait; then its refusal is raised
LONGEST_PAUSE_S = 15.0


class About(Protocol):
    """What an event says about itself: it is about a turn, or about a session."""

    turn_id: str
    session_id: str


EventT = TypeVar("EventT", bound=About)
ResponseT = TypeVar("ResponseT")


class Courier(Generic[EventT, ResponseT]):
    """Sends the events of one client."""

    def __init__(self, submit: Callable[[EventT], Awaitable[ResponseT]]) -> None:
        self._submit = submit
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send(self, event: EventT) -> ResponseT:
        """Send an event until it is stored. Raises AioRpcError when it is refused for good."""
        until_s = time.monotonic() + PATIENCE_S
        async with self._line(event.turn_id or event.session_id):
            pauses = 0
            while True:
                try:
                    return await self._submit(event)
                except grpc.aio.AioRpcError as refusal:
                    wait_s = pause_s(refusal, pauses, random.random())
                    if wait_s is None or time.monotonic() + wait_s > until_s:
                        raise
                await asyncio.sleep(wait_s)
                pauses += 1

    def _line(self, about: str) -> asyncio.Lock:
        """What the events about one turn or session pass one by one, first come first served."""
        line = self._lines.get(about) or asyncio.Lock()
        return self._lines.setdefault(about, line)


def pause_s(refusal: grpc.aio.AioRpcError, pauses: int, draw: float) -> float | None:
    """How long to wait before the next try, after `pauses` of them; None = trying is no use.

    `draw` is from 0 to 1: up to half of the pause is added.
    """
    if (asked_s := _asked_s(refusal)) is None:
        return None
    return min(asked_s * 2.0**pauses, LONGEST_PAUSE_S) * (1 + draw / 2)


def _asked_s(refusal: grpc.aio.AioRpcError) -> float | None:
    """When the server asks to come back, in seconds from now."""
    trailers: Any = refusal.trailing_metadata()  # stubs know it as something else
    asked: str | None = dict(trailers or ()).get(RETRY_AFTER_KEY)
    return None if asked is None else int(asked) / 1e3
