"""Build, start and stop the server, in that order of reading.

Stop order: health says NOT_SERVING and new calls are refused; running turns drain for the grace
period; then what watches the engine and the adapters on disk; then the engine ends, which nothing
uses any more; last the store flushes and closes, because the turns above still write to it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from feedback_store.store import Store
from npc.v1 import (
    adapters_pb2,
    adapters_pb2_grpc,
    dialogue_pb2,
    dialogue_pb2_grpc,
    feedback_pb2,
    feedback_pb2_grpc,
)
from npc_server import models
from npc_server.adapters import Adapters, LiveAdapter
from npc_server.config import Config, EngineSection
from npc_server.dialogue import Dialogue, Model, sampling_of
from npc_server.engine.llama import ContextShape, Vocab
from npc_server.engine.protocol import Engine, EngineOptions, Request
from npc_server.engine.worker import EngineConfig, LlamaEngine
from npc_server.errors import ConfigError
from npc_server.interceptors import RequestInterceptor
from npc_server.metrics import Calls, Sources, exported
from npc_server.rehearsal import rehearse
from npc_server.service import AdaptersService, DialogueService, FeedbackService
from npc_server.sessions import Sessions
from npc_server.supervision import SupervisedEngine, Supervisor
from personas.adapter_repo import AdapterRepo
from personas.persona import Persona, load_characters
from personas.render import START, prompt

logger = logging.getLogger(__name__)

_HealthServicer: Any = health.aio.HealthServicer  # type: ignore[attr-defined]  # stubs lack aio

SERVICES = (
    dialogue_pb2.DESCRIPTOR.services_by_name["Dialogue"].full_name,
    feedback_pb2.DESCRIPTOR.services_by_name["Feedback"].full_name,
    adapters_pb2.DESCRIPTOR.services_by_name["Adapters"].full_name,
)


@dataclass(frozen=True)
class Parts:
    """What a server is built from; tests hand in their own."""

    characters: Mapping[str, Persona]
    model: Model
    store: Store
    repo: AdapterRepo


def build(config: Config) -> Parts:
    """Open everything the server needs, failing before anything listens.

    Raises PersonaError, ModelUnavailableError, ModelLoadError, ConfigError and the store's errors.
    """
    characters = load_characters(config.paths.characters.expanduser())
    path = models.resolve(config.model.base, config.paths.cache.expanduser())
    vocab = Vocab(path)
    _require_chatml(vocab, path)
    engine = LlamaEngine(_engine_config(path, config.engine))
    model = Model(engine, vocab, models.file_sha256(path))
    config.paths.store.parent.mkdir(parents=True, exist_ok=True)
    store = Store.open(config.paths.store)
    return Parts(characters, model, store, AdapterRepo(config.paths.adapters))


def _engine_config(path: Path, section: EngineSection) -> EngineConfig:
    shape = ContextShape(
        sequences=section.sequences,
        context_tokens=section.context_tokens,
        threads=section.threads or os.cpu_count() or 1,
    )
    options = EngineOptions(
        batching=section.batching,
        max_rank=section.max_rank,
        prefill_chunk_tokens=section.prefill_chunk_tokens,
        cache_mib=section.cache_mib,
        adapter_cache_mib=section.adapter_cache_mib,
        max_waiting=section.max_waiting,
    )
    return EngineConfig(path, shape, options)


def _require_chatml(vocab: Vocab, path: Path) -> None:
    try:
        vocab.control(START)
    except KeyError as error:
        raise ConfigError(
            f"{path} has no {START} token: its chat format is not ChatML, the one that is rendered."
            " Use a ChatML model, such as the SmolLM2 or Qwen families"
        ) from error


async def serve(config: Config, on_ready: Callable[[int], None], stop: asyncio.Event) -> bool:
    """Run until `stop` is set or a dead engine is given up; `on_ready` gets the port.

    Returns whether it ended because it was asked to.
    """
    parts = build(config)
    try:
        async with running(parts, config, on_ready) as supervisor:
            return await _first(stop, supervisor.given_up) is stop
    finally:
        parts.store.close()


@asynccontextmanager
async def running(
    parts: Parts, config: Config, on_ready: Callable[[int], None]
) -> AsyncIterator[Supervisor]:
    """A serving server for the length of the block, with who keeps its engine alive."""
    assembly = _assemble(parts)
    try:
        await _bring_up(parts, assembly.adapters)
        async with _listening(assembly, config) as port:
            await _announce(assembly.status, serving=True)
            on_ready(port)
            yield assembly.supervisor
    finally:
        await parts.model.engine.close()


@dataclass(frozen=True)
class _Assembly:
    """What the parts become while they run."""

    parts: Parts
    adapters: Adapters
    supervisor: Supervisor
    sessions: Sessions
    calls: Calls
    status: Any  # the health servicer


def _assemble(parts: Parts) -> _Assembly:
    engine = parts.model.engine
    status = _HealthServicer()

    async def prepare(character: str, adapter: LiveAdapter) -> None:
        # A start would wait for all characters; there the first turns do the reading.
        if supervisor.serving:
            await rehearse(parts.model, parts.characters[character], adapter)

    adapters = Adapters(
        parts.repo, engine, parts.model.base_sha256, tuple(parts.characters), prepare
    )
    supervisor = Supervisor(engine, partial(_bring_up, parts, adapters), partial(_announce, status))
    return _Assembly(parts, adapters, supervisor, Sessions(), Calls(), status)


async def _bring_up(parts: Parts, adapters: Adapters) -> None:
    """From nothing, or from a death, to a first word."""
    await parts.model.engine.start()
    await adapters.restore()
    for character in parts.characters:
        await adapters.refresh(character)
    await _warm_up(parts)


@asynccontextmanager
async def _listening(assembly: _Assembly, config: Config) -> AsyncIterator[int]:
    """Open the ports, and do what is done beside the calls; yields the port of the calls."""
    section = config.server
    async with exported(_sources(assembly), section.host, section.metrics_port):
        server = _server(assembly)
        port = _bind(server, config)
        watching = assembly.adapters.watch(section.adapter_poll_s)
        async with _beside(assembly.supervisor.run(), watching):
            await server.start()
            try:
                yield port
            finally:
                await assembly.status.enter_graceful_shutdown()
                await server.stop(section.grace_s)


@asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Tasks for the length of the block."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


def _sources(assembly: _Assembly) -> Sources:
    return Sources(
        stats=assembly.parts.model.engine.stats,
        calls=assembly.calls,
        dialogues_open=lambda: len(assembly.sessions),
        serving=lambda: assembly.supervisor.serving,
        restarts=lambda: assembly.supervisor.restarts,
    )


def _server(assembly: _Assembly) -> grpc.aio.Server:
    parts, sessions = assembly.parts, assembly.sessions
    engine = SupervisedEngine(parts.model.engine, assembly.supervisor)
    model = replace(parts.model, engine=engine)
    dialogue = Dialogue(parts.characters, model, assembly.adapters, sessions, parts.store)
    adapters = AdaptersService(assembly.adapters, tuple(parts.characters), engine)
    server = grpc.aio.server(interceptors=[RequestInterceptor(assembly.calls.count)])
    dialogue_pb2_grpc.add_DialogueServicer_to_server(DialogueService(dialogue), server)
    feedback_pb2_grpc.add_FeedbackServicer_to_server(FeedbackService(parts.store, sessions), server)
    adapters_pb2_grpc.add_AdaptersServicer_to_server(adapters, server)
    health_pb2_grpc.add_HealthServicer_to_server(assembly.status, server)
    reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME], server)
    return server


def _bind(server: grpc.aio.Server, config: Config) -> int:
    address = f"{config.server.host}:{config.server.port}"
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigError(f"cannot listen on {address}: is another server running?") from error


async def _announce(status: Any, serving: bool) -> None:
    states = health_pb2.HealthCheckResponse
    state = states.SERVING if serving else states.NOT_SERVING
    for service in ("", *SERVICES):
        await status.set(service, state)


async def _warm_up(parts: Parts) -> None:
    """One real turn, so that SERVING means that it works."""
    engine: Engine = parts.model.engine
    persona = next(iter(parts.characters.values()))
    sampling = sampling_of(persona, seed=0)
    budget = engine.info.context_tokens - sampling.max_tokens
    ids = prompt(persona, (), "Hello.", parts.model.tokenizer, budget).ids
    async with aclosing(engine.generate(Request("warm-up", ids, sampling=sampling))) as events:
        await anext(events)


async def _first(*events: asyncio.Event) -> asyncio.Event:
    tasks = {asyncio.create_task(event.wait()): event for event in events}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return tasks[done.pop()]
