"""What one call has characters do in a scene: it can be interrupted by another call.

The work runs in a task of its own and hands its events on through a queue, so that a newer line can
end it although the client of this call reads slowly or not at all. Whatever ends it, the replies
in it are over and recorded when `interrupt` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

EventT = TypeVar("EventT")
Emit = Callable[[EventT], None]
Work = Callable[[Emit[EventT]], Coroutine[Any, Any, None]]


class Performance(Generic[EventT]):
    """One piece of work, with the events that it emits."""

    def __init__(self, work: Work[EventT]) -> None:
        self._queue: asyncio.Queue[EventT | None] = asyncio.Queue()
        self._error: BaseException | None = None
        self._task = asyncio.create_task(work(self._queue.put_nowait))
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._queue.put_nowait(None)
        self._error = None if task.cancelled() else task.exception()

    @property
    def over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self._task.done()

    async def wait(self, timeout_s: float | None = None) -> None:
        """Return when all of it has ended by itself, or behind that time; None = without limit."""
        await asyncio.wait([self._task], timeout=timeout_s)

    async def interrupt(self) -> None:
        """End it, if it runs; returns when all of it has ended."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def events(self) -> AsyncGenerator[EventT]:
        """The events until its end; leaving them interrupts it. Raises what the work raised."""
        try:
            while (event := await self._queue.get()) is not None:
                yield event
            if self._error is not None:
                raise self._error
        finally:
            await self.interrupt()


async def perform_at_once(parts: Sequence[Awaitable[None]]) -> None:
    """Run all parts at once, to the end of each. Raises the first error that one ended in."""
    for ended in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
