"""The engine in a process of its own, and the pipe to it.

A busy Python thread beside the step loop slows every step several times over, so the server and
the model share no interpreter. `LlamaEngine` is the parent's end and lives on one asyncio loop; a
reader thread hands it what arrives. `engine_process` is the child's end.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import threading
from collections.abc import AsyncGenerator, Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self, TypeVar, TypeVarTuple

from npc_server.engine import engine_process
from npc_server.engine.core import EngineCore, Event
from npc_server.engine.engine_process import (
    Call,
    Close,
    Emitted,
    EngineConfig,
    Load,
    Prepare,
    Response,
)
from npc_server.engine.errors import EngineDiedError, EngineError
from npc_server.engine.openmp import short_spin
from npc_server.engine.protocol import Delta, Finish, ModelInfo, Request, Stats

__all__ = ["EngineConfig", "LlamaEngine"]

logger = logging.getLogger(__name__)

ArgumentsT = TypeVarTuple("ArgumentsT")
ResultT = TypeVar("ResultT")


class LlamaEngine:
    """An `Engine` whose model runs in a child process; `async with` starts and closes it."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._info: ModelInfo | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._call_ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._streams: dict[str, asyncio.Queue[Event]] = {}
        self.died = asyncio.Event()  # set when the process ended, asked or not

    @property
    def info(self) -> ModelInfo:
        """What is served; known once started."""
        if self._info is None:
            raise EngineError("the engine has not started")
        return self._info

    @property
    def pid(self) -> int | None:
        """Process id of the engine process."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the process and load the model, again after it died.

        Raises ModelLoadError, EngineDiedError.
        """
        self._loop = asyncio.get_running_loop()
        self.died.clear()
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        process = context.Process(
            target=engine_process.run,
            args=(child_pipe, self._config),
            name="npc-engine",
            daemon=True,
        )
        with short_spin():
            process.start()
        child_pipe.close()
        self._process = process
        threading.Thread(
            target=self._read, args=(self._pipe,), name="engine-pipe", daemon=True
        ).start()
        self._info = await self._call(EngineCore.info)
        logger.info("%s takes %s", self._info.description, self._info.memory)

    async def generate(self, request: Request) -> AsyncGenerator[Delta | Finish]:
        """Stream the reply; closing the iterator cancels it."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._streams[request.request_id] = queue
        finished = False
        try:
            if request.sampling.grammar or request.sampling.json_schema:
                await self._request(Prepare(next(self._call_ids), request.sampling))
            await self._call(EngineCore.submit, request)
            while not finished:
                event = await queue.get()
                if isinstance(event, EngineError):
                    finished = True
                    raise event
                finished = isinstance(event, Finish)
                yield event
        finally:
            del self._streams[request.request_id]
            if not finished:
                self._post(EngineCore.cancel, request.request_id)

    async def load_adapter(self, content_hash: str, folder: Path) -> None:
        """Make the PEFT adapter in `folder` usable. Raises AdapterRejectedError."""
        await self._request(Load(next(self._call_ids), content_hash, folder))

    async def unload_adapter(self, content_hash: str) -> None:
        """Forget an adapter once nothing runs under it."""
        await self._call(EngineCore.unload_adapter, content_hash)

    async def stats(self) -> Stats:
        """A snapshot of state and counters."""
        return await self._call(EngineCore.stats)

    async def close(self) -> None:
        """End the process; running requests fail with EngineDiedError."""
        if self._process is None or self._pipe is None:
            return
        self._send(Close())
        await asyncio.to_thread(self._process.join, 5)
        if self._process.is_alive():
            self._process.kill()
        await asyncio.wait_for(self.died.wait(), 5)

    async def _call(
        self,
        method: Callable[[EngineCore, *ArgumentsT], ResultT],
        *arguments: *ArgumentsT,
    ) -> ResultT:
        """Call a method of the core in the engine process."""
        result: ResultT = await self._request(Call(next(self._call_ids), method, arguments))
        return result

    async def _request(self, message: Call | Load | Prepare) -> Any:
        """Send a message and wait for the response to it."""
        if self.died.is_set() or self._pipe is None:
            raise EngineDiedError(self._cause_of_death())
        response: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[message.call_id] = response
        try:
            self._pipe.send(message)
            return await response
        except OSError as error:
            raise EngineDiedError(self._cause_of_death()) from error
        finally:
            self._calls.pop(message.call_id, None)

    def _post(
        self,
        method: Callable[[EngineCore, *ArgumentsT], object],
        *arguments: *ArgumentsT,
    ) -> None:
        """Call a method of the core whose result nobody waits for."""
        self._send(Call(0, method, arguments))

    def _send(self, message: Call | Close) -> None:
        """Send a message unless the engine is dead, which leaves nothing to do for it."""
        if self._pipe is None or self.died.is_set():
            return
        try:
            self._pipe.send(message)
        except OSError:
            logger.info("the engine process is gone; %s not sent", message)

    def _read(self, pipe: Connection) -> None:
        assert self._loop is not None
        try:
            while True:
                self._loop.call_soon_threadsafe(self._dispatch, pipe.recv())
        except (EOFError, OSError):
            # The loop may be closed already when the interpreter is on its way out.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._fail_everything)

    def _dispatch(self, message: Response | Emitted) -> None:
        if isinstance(message, Emitted):
            for request_id, event in message.events:
                queue = self._streams.get(request_id)
                if queue is not None:
                    queue.put_nowait(event)
            return
        future = self._calls.get(message.call_id)
        if future is None or future.done():
            return
        if message.error is not None:
            future.set_exception(message.error)
        else:
            future.set_result(message.result)

    def _fail_everything(self) -> None:
        """Fail all calls and streams, since the process has ended."""
        self.died.set()
        error = EngineDiedError(self._cause_of_death())
        for future in self._calls.values():
            if not future.done():
                future.set_exception(error)
        for queue in self._streams.values():
            queue.put_nowait(error)

    def _cause_of_death(self) -> str:
        if self._process is None:
            return "the engine has not started"
        self._process.join(1)
        return f"the engine process ended (exit code {self._process.exitcode})"
