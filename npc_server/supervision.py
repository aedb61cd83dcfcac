"""Restarting the engine process when it dies.

A death ends the running turns; health says NOT_SERVING at once. The engine is started anew, gets
its adapters back and runs a warm-up turn before health says SERVING again. Turns that arrive
meanwhile are refused, not queued: nobody knows yet whether the engine comes back. An engine that
keeps dying is given up, and the server ends, so that its own supervisor sees it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from npc_server.engine.errors import EngineDiedError, EngineError
from npc_server.engine.protocol import Delta, Engine, Finish, ModelInfo, Request, Stats

logger = logging.getLogger(__name__)

MAX_DEATHS = 5  # within WINDOW_S
WINDOW_S = 60.0  # of serving
SECOND_DELAY_S = 0.5


def restart_delay_s(deaths: Sequence[float], now: float) -> float | None:
    """How long to wait before the next start; None = give up.

    `deaths` are the moments of the deaths so far, the latest included. After the first within
    WINDOW_S there is no delay; then it doubles with each. The clock runs only while the engine
    serves, or a base that takes long to load would keep a crashing engine going for ever.
    """
    recent = sum(now - death < WINDOW_S for death in deaths)
    if recent >= MAX_DEATHS:
        return None
    return 0.0 if recent <= 1 else SECOND_DELAY_S * 2 ** (recent - 2)


class Supervisor:
    """Restarts an engine whenever it dies.

    `bring_up` starts it and returns after its first turn; `announce` gets whether it is serving.
    """

    def __init__(
        self,
        engine: Engine,
        bring_up: Callable[[], Awaitable[None]],
        announce: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._bring_up = bring_up
        self._announce = announce
        self._deaths: list[float] = []  # in seconds of serving
        self._served_s = 0.0
        self._back = True
        self.restarts = 0
        self.given_up = asyncio.Event()  # set when the engine is not restarted any more

    @property
    def serving(self) -> bool:
        """Whether turns are accepted now."""
        return self._back and not self._engine.died.is_set()

    async def run(self) -> None:
        """Restart the engine whenever it dies, until cancelled or until it died too often."""
        try:
            while True:
                back_s = time.monotonic()
                await self._engine.died.wait()
                self._served_s += time.monotonic() - back_s
                self._back = False
                await self._announce(False)
                if not await self._restart():
                    return
                self._back = True
                await self._announce(self.serving)
        finally:
            self.given_up.set()

    async def _restart(self) -> bool:
        while (delay_s := self._delay_after_death_s()) is not None:
            logger.error("the engine died; starting it again in %.1f s", delay_s)
            await asyncio.sleep(delay_s)
            if await self._is_up():
                self.restarts += 1
                logger.warning("the engine serves again, after restart %d", self.restarts)
                return True
        logger.critical(
            "the engine died %d times in %.0f s of serving: giving up", MAX_DEATHS, WINDOW_S
        )
        return False

    def _delay_after_death_s(self) -> float | None:
        recent = [death for death in self._deaths if self._served_s - death < WINDOW_S]
        self._deaths = [*recent, self._served_s]
        return restart_delay_s(self._deaths, self._served_s)

    async def _is_up(self) -> bool:
        try:
            await self._bring_up()
        except (EngineError, OSError) as error:  # OSError: no process or pipe left
            logger.error("the engine did not come back: %s", error)
            if not self._engine.died.is_set():
                with suppress(OSError):  # such as TimeoutError, when there was no process to end
                    await self._engine.close()  # half up is no state to start from
            return False
        return True


class SupervisedEngine:
    """An engine that refuses turns at once while it is being restarted.

    Without that, a turn would reach the new process before its adapter does.
    """

    def __init__(self, engine: Engine, supervisor: Supervisor) -> None:
        self._engine = engine
        self._supervisor = supervisor

    @property
    def info(self) -> ModelInfo:
        """The served model."""
        return self._engine.info

    @property
    def died(self) -> asyncio.Event:
        """Set while the engine is dead."""
        return self._engine.died

    async def start(self) -> None:
        """As the engine's own."""
        await self._engine.start()

    def generate(self, request: Request) -> AsyncGenerator[Delta | Finish]:
        """Stream the reply. Raises EngineDiedError at once while nothing can be generated."""
        if not self._supervisor.serving:
            raise EngineDiedError("the engine is being restarted; try again in a few seconds")
        return self._engine.generate(request)

    async def load_adapter(self, content_hash: str, folder: Path) -> None:
        """As the engine's own."""
        await self._engine.load_adapter(content_hash, folder)

    async def unload_adapter(self, content_hash: str) -> None:
        """As the engine's own."""
        await self._engine.unload_adapter(content_hash)

    async def stats(self) -> Stats:
        """As the engine's own."""
        return await self._engine.stats()

    async def close(self) -> None:
        """As the engine's own."""
        await self._engine.close()
