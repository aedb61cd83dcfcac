"""The engine in a process of its own, and the pipe to it.

A busy Python thread beside the step loop slows every step several times over, so the server and
the model share no interpreter. The parent end (`LlamaEngine`) lives on one asyncio loop; a reader
thread hands what arrives to it. The child steps while there is work, reads commands between steps,
and ends when the pipe closes, so that no orphan survives a killed parent.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import signal
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from npc_server.engine.errors import EngineDiedError, EngineError, ModelLoadError
from npc_server.engine.llama import ContextShape
from npc_server.engine.openmp import short_spin
from npc_server.engine.protocol import Delta, EngineOptions, Finish, ModelInfo, Request, Stats

logger = logging.getLogger(__name__)

#: Longest pause between requests that still count as one arrival.
_GATHERING_S = 0.004
_LOAD_POLL_S = 0.002


@dataclass(frozen=True)
class EngineConfig:
    """What the engine process loads."""

    model: Path
    shape: ContextShape = field(default_factory=ContextShape)
    options: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True)
class _Call:
    """Parent to child: a named operation; `call_id` pairs it with its answer."""

    call_id: int
    name: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Answer:
    """Child to parent: the result of a call, or the error it raised."""

    call_id: int
    result: Any = None
    error: EngineError | None = None


_Event = Delta | Finish | EngineError


@dataclass(frozen=True)
class _Emitted:
    """Child to parent: what a step did to requests, in order."""

    events: tuple[tuple[str, _Event], ...]  # (request id, event)


class LlamaEngine:
    """An `Engine` whose model runs in a child process."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._info: ModelInfo | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._call_ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._streams: dict[str, asyncio.Queue[_Event]] = {}
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

    async def start(self) -> None:
        """Start the process and load the model, again after it died.

        Raises ModelLoadError, EngineDiedError.
        """
        self._loop = asyncio.get_running_loop()
        self.died.clear()
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        process = context.Process(
            target=_child_main, args=(child_pipe, self._config), name="npc-engine", daemon=True
        )
        with short_spin():
            process.start()
        child_pipe.close()
        self._process = process
        threading.Thread(
            target=self._read, args=(self._pipe,), name="engine-pipe", daemon=True
        ).start()
        self._info = await self._call("info")

    async def generate(self, request: Request) -> AsyncGenerator[Delta | Finish]:
        """Stream the reply; closing the iterator cancels it."""
        queue: asyncio.Queue[_Event] = asyncio.Queue()
        self._streams[request.request_id] = queue
        finished = False
        try:
            await self._call("submit", request)
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
                self._post("cancel", request.request_id)

    async def load_adapter(self, content_hash: str, folder: Path) -> None:
        """Make the PEFT adapter in `folder` usable. Raises AdapterRejectedError."""
        await self._call("load_adapter", content_hash, folder)

    async def unload_adapter(self, content_hash: str) -> None:
        """Forget an adapter once nothing runs under it."""
        await self._call("unload_adapter", content_hash)

    async def stats(self) -> Stats:
        """A snapshot of state and counters."""
        stats: Stats = await self._call("stats")
        return stats

    async def close(self) -> None:
        """End the process; running requests fail with EngineDiedError."""
        if self._process is None or self._pipe is None:
            return
        self._post("close")
        await asyncio.to_thread(self._process.join, 5)
        if self._process.is_alive():
            self._process.kill()
        await asyncio.wait_for(self.died.wait(), 5)

    async def _call(self, name: str, *arguments: Any) -> Any:
        if self.died.is_set() or self._pipe is None:
            raise EngineDiedError(self._epitaph())
        call = _Call(next(self._call_ids), name, arguments)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[call.call_id] = answer
        try:
            self._pipe.send(call)
            return await answer
        except OSError as error:
            raise EngineDiedError(self._epitaph()) from error
        finally:
            self._calls.pop(call.call_id, None)

    def _post(self, name: str, *arguments: Any) -> None:
        """Send a call nobody waits for; a dead engine has forgotten the matter anyway."""
        if self._pipe is None or self.died.is_set():
            return
        try:
            self._pipe.send(_Call(0, name, arguments))
        except OSError:
            logger.info("engine process is gone; %s not sent", name)

    def _read(self, pipe: Connection) -> None:
        assert self._loop is not None
        try:
            while True:
                self._loop.call_soon_threadsafe(self._dispatch, pipe.recv())
        except (EOFError, OSError):
            self._post_mortem()

    def _post_mortem(self) -> None:
        assert self._loop is not None
        # The loop may be closed already when the interpreter is on its way out.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._bury)

    def _dispatch(self, message: _Answer | _Emitted) -> None:
        if isinstance(message, _Emitted):
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

    def _bury(self) -> None:
        self.died.set()
        error = EngineDiedError(self._epitaph())
        for future in self._calls.values():
            if not future.done():
                future.set_exception(error)
        for queue in self._streams.values():
            queue.put_nowait(error)

    def _epitaph(self) -> str:
        if self._process is None:
            return "the engine has not started"
        self._process.join(1)
        return f"the engine process ended (exit code {self._process.exitcode})"


def _child_main(pipe: Connection, config: EngineConfig) -> None:
    # Ctrl-C reaches the whole process group; the parent decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _serve(pipe, config)
    except (EOFError, BrokenPipeError):
        logger.debug("the parent is gone")


def _serve(pipe: Connection, config: EngineConfig) -> None:
    from npc_server.engine.assembly import assemble

    happened: list[tuple[str, _Event]] = []
    try:
        core = assemble(
            config.model, config.shape, config.options, lambda *event: happened.append(event)
        )
    except ModelLoadError as error:
        first: _Call = pipe.recv()
        pipe.send(_Answer(first.call_id, error=error))
        return
    loads = _Loads(core)
    while True:
        wait_s = _gathering_s(core) if core.busy else loads.wait_s
        while pipe.poll(wait_s):
            call: _Call = pipe.recv()
            if call.name == "close":
                return
            if call.name == "load_adapter":
                loads.begin(call)
            else:
                pipe.send(_perform(core, call))
            _send_events(pipe, happened)
            wait_s = _gathering_s(core)
        for answer in loads.done():
            pipe.send(answer)
        if core.busy:
            core.step()
            _send_events(pipe, happened)


class _Loads:
    """Adapters being read on a thread beside the steps, which are not held up by it."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="adapter-load")
        self._running: list[tuple[_Call, Future[Any]]] = []

    @property
    def wait_s(self) -> float | None:
        """How long an idle engine may sleep; None is until the next command."""
        return _LOAD_POLL_S if self._running else None

    def begin(self, call: _Call) -> None:
        """Start reading the adapter that a call names."""
        self._running.append((call, self._thread.submit(self._core.read_adapter, *call.arguments)))

    def done(self) -> list[_Answer]:
        """Answers to the calls whose adapters have been read since."""
        ended = [(call, future) for call, future in self._running if future.done()]
        self._running = [(call, future) for call, future in self._running if not future.done()]
        return [self._answer(call, future) for call, future in ended]

    def _answer(self, call: _Call, future: Future[Any]) -> _Answer:
        try:
            self._core.keep_adapter(*call.arguments, future.result())
        except EngineError as error:
            return _Answer(call.call_id, error=error)
        return _Answer(call.call_id)


def _gathering_s(core: Any) -> float:
    """How long to wait for more commands before a step: not at all once anyone has begun.

    Players of one scene speak in the same moment. Turns that start together read together; the
    first of them alone would begin a step that the others must sit out.
    """
    return _GATHERING_S if core.gathering else 0.0


def _send_events(pipe: Connection, happened: list[tuple[str, _Event]]) -> None:
    # One message a step: each wakes the parent, which shares the cores with the next step.
    if happened:
        pipe.send(_Emitted(tuple(happened)))
        happened.clear()


def _perform(core: Any, call: _Call) -> _Answer:
    operations = {
        "info": lambda: core.info,
        "stats": core.stats,
        "submit": core.submit,
        "cancel": core.cancel,
        "unload_adapter": core.unload_adapter,
    }
    try:
        return _Answer(call.call_id, operations[call.name](*call.arguments))
    except EngineError as error:
        return _Answer(call.call_id, error=error)
