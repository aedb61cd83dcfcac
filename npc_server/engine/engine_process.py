"""What runs in the engine process: commands between steps, steps while there is work.

Commands name a method of `EngineCore` by the method itself, which pickles as a reference, so that
types hold across the pipe. The process ends when the pipe closes: no orphan survives a killed
parent.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from npc_server.engine.assembly import assemble
from npc_server.engine.core import CheckedAdapter, EngineCore, Event
from npc_server.engine.errors import EngineError, ModelLoadError
from npc_server.engine.llama import ContextShape
from npc_server.engine.placement import Hardware
from npc_server.engine.protocol import NO_CHAT_TOKENS, ChatTokens, EngineOptions, Sampling
from npc_server.engine.settings import EngineSettings

logger = logging.getLogger(__name__)

#: Longest pause between requests that still count as one arrival.
_GATHERING_S = 0.004
_LOAD_POLL_S = 0.002
#: llguidance recurses into a grammar; where a stack has no limit of its own, threads get 2 MiB.
_THREAD_STACK_BYTES = 16 << 20


@dataclass(frozen=True)
class EngineConfig:
    """What the engine process loads."""

    model: Path
    shape: ContextShape = field(default_factory=ContextShape)
    options: EngineOptions = field(default_factory=EngineOptions)
    hardware: Hardware = field(default_factory=Hardware)

    @classmethod
    def of(cls, model: Path, settings: EngineSettings, chat: ChatTokens = NO_CHAT_TOKENS) -> Self:
        """What an engine under these settings loads."""
        shape = ContextShape(
            sequences=settings.sequences,
            context_tokens=settings.context_tokens,
            threads=settings.threads or os.cpu_count() or 1,
            kv_type=settings.kv_type,
            logit_rows=settings.sequences,
        )
        options = EngineOptions(
            batching=settings.batching,
            max_rank=settings.max_rank,
            prefill_chunk_tokens=settings.prefill_chunk_tokens,
            cache_mib=settings.cache_mib,
            adapter_cache_mib=settings.adapter_cache_mib,
            max_waiting=settings.max_waiting,
            chat=chat,
        )
        return cls(model, shape, options, hardware_of(settings))


def hardware_of(settings: EngineSettings) -> Hardware:
    """What the settings ask of the machine."""
    return Hardware(settings.gpu_layers, settings.device, settings.main_gpu)


@dataclass(frozen=True)
class Call:
    """Parent to child: a method to call; `call_id` pairs it with its response."""

    call_id: int  # 0 = nobody waits for the response
    method: Callable[..., Any]  # of EngineCore
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Load:
    """Parent to child: an adapter to read, on a thread beside the steps."""

    call_id: int
    content_hash: str
    folder: Path


@dataclass(frozen=True)
class Prepare:
    """Parent to child: a form to read, on a thread beside the steps."""

    call_id: int
    sampling: Sampling


@dataclass(frozen=True)
class Close:
    """Parent to child: end the process."""


@dataclass(frozen=True)
class Response:
    """Child to parent: the result of a call, or the error it raised."""

    call_id: int
    result: Any = None
    error: EngineError | None = None


@dataclass(frozen=True)
class Emitted:
    """Child to parent: what a step did to requests, in order."""

    events: tuple[tuple[str, Event], ...]  # (request id, event)


def run(pipe: Connection, config: EngineConfig) -> None:
    """Load the model and serve the pipe until the parent closes it."""
    threading.stack_size(_THREAD_STACK_BYTES)
    # Ctrl-C reaches the whole process group; the parent decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _serve(pipe, config)
    except (EOFError, BrokenPipeError):
        logger.debug("the parent is gone")


def _serve(pipe: Connection, config: EngineConfig) -> None:
    events: list[tuple[str, Event]] = []
    try:
        core = assemble(
            config.model,
            config.shape,
            config.options,
            lambda *event: events.append(event),
            config.hardware,
        )
    except ModelLoadError as error:
        first: Call = pipe.recv()
        pipe.send(Response(first.call_id, error=error))
        return
    _Loop(pipe, core, events).run()


class _Loop:
    """Takes commands and steps, in turn; `events` is what the core has emitted since."""

    def __init__(self, pipe: Connection, core: EngineCore, events: list[tuple[str, Event]]) -> None:
        self._pipe = pipe
        self._core = core
        self._events = events
        self._beside = _Beside(core)

    def run(self) -> None:
        while self._take_commands():
            for response in self._beside.collect():
                self._pipe.send(response)
            if self._core.busy:
                self._core.step()
                self._send_events()

    def _take_commands(self) -> bool:
        """Perform the commands that have arrived; returns whether to go on."""
        wait_s = self._gathering_s if self._core.busy else self._beside.wait_s
        while self._pipe.poll(wait_s):
            match self._pipe.recv():
                case Close():
                    return False
                case Load() as load:
                    self._beside.load(load)
                case Prepare() as prepare:
                    self._beside.prepare(prepare)
                case Call() as call:
                    self._pipe.send(_perform(self._core, call))
            self._send_events()
            wait_s = self._gathering_s
        return True

    @property
    def _gathering_s(self) -> float:
        """How long to wait for more commands before a step: not at all once anyone has begun.

        Players of one scene speak in the same moment. Turns that start together read together; the
        first of them alone would begin a step that the others must sit out.
        """
        return _GATHERING_S if self._core.gathering else 0.0

    def _send_events(self) -> None:
        # One message per step: each wakes the parent, which shares the cores with the next step.
        if self._events:
            self._pipe.send(Emitted(tuple(self._events)))
            self._events.clear()


def _perform(core: EngineCore, call: Call) -> Response:
    try:
        return Response(call.call_id, call.method(core, *call.arguments))
    except EngineError as error:
        return Response(call.call_id, error=error)


class _Beside:
    """What is read on threads beside the steps, which are not held up by it: adapters and forms."""

    def __init__(self, core: EngineCore) -> None:
        self._core = core
        self._adapters = ThreadPoolExecutor(1, thread_name_prefix="adapter-load")
        self._forms = ThreadPoolExecutor(1, thread_name_prefix="form-read")
        self._running: list[tuple[int, Future[CheckedAdapter | None]]] = []  # (call id, result)

    @property
    def wait_s(self) -> float | None:
        """How long an idle engine may sleep; None is until the next command."""
        return _LOAD_POLL_S if self._running else None

    def load(self, load: Load) -> None:
        """Start reading an adapter."""
        reading: Future[CheckedAdapter | None] = self._adapters.submit(
            self._core.read_adapter, load.content_hash, load.folder
        )
        self._running.append((load.call_id, reading))

    def prepare(self, prepare: Prepare) -> None:
        """Start reading a form."""
        reading: Future[CheckedAdapter | None] = self._forms.submit(
            self._core.prepare, prepare.sampling
        )
        self._running.append((prepare.call_id, reading))

    def collect(self) -> Iterator[Response]:
        """Keep what has been read since, and respond to who asked for it."""
        read = [(call_id, reading) for call_id, reading in self._running if reading.done()]
        self._running = [entry for entry in self._running if entry not in read]
        for call_id, reading in read:
            yield self._respond(call_id, reading)

    def _respond(self, call_id: int, reading: Future[CheckedAdapter | None]) -> Response:
        try:
            adapter = reading.result()
            if adapter is not None:
                self._core.keep_adapter(adapter)
        except EngineError as error:
            return Response(call_id, error=error)
        return Response(call_id)
