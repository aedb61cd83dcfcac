"""Build, start and stop the server, in that order of reading.

Stop order: health says NOT_SERVING and new calls are refused; running turns drain for the grace
period; then the engine ends, which nothing uses any more; last the store flushes and closes,
because the turns above still write to it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
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
from npc_server.adapters import Adapters
from npc_server.config import Config
from npc_server.dialogue import Dialogue, Model, sampling_of
from npc_server.engine.llama import ContextShape, Vocab
from npc_server.engine.protocol import Engine, Request
from npc_server.engine.worker import EngineConfig, LlamaEngine
from npc_server.errors import ConfigError
from npc_server.interceptors import RequestInterceptor
from npc_server.service import AdaptersService, DialogueService, FeedbackService
from npc_server.sessions import Sessions
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


def build(config: Config) -> tuple[Parts, LlamaEngine]:
    """Open everything the server needs, failing before anything listens.

    Raises PersonaError, ModelUnavailableError, ModelLoadError, ConfigError and the store's errors.
    """
    characters = load_characters(config.paths.characters.expanduser())
    path = models.resolve(config.model.base, config.paths.cache.expanduser())
    vocab = Vocab(path)
    _require_chatml(vocab, path)
    shape = ContextShape(
        sequences=config.engine.sequences,
        context_tokens=config.engine.context_tokens,
        threads=config.engine.threads or os.cpu_count() or 1,
    )
    engine = LlamaEngine(EngineConfig(path, shape))
    model = Model(engine, vocab, models.file_sha256(path))
    config.paths.store.parent.mkdir(parents=True, exist_ok=True)
    store = Store.open(config.paths.store)
    return Parts(characters, model, store, AdapterRepo(config.paths.adapters)), engine


def _require_chatml(vocab: Vocab, path: Path) -> None:
    try:
        vocab.control(START)
    except KeyError as error:
        raise ConfigError(
            f"{path} has no {START} token: its chat format is not ChatML, the one that is rendered."
            " Use a ChatML model, such as the SmolLM2 or Qwen families"
        ) from error


async def serve(config: Config, on_ready: Callable[[int], None], stop: asyncio.Event) -> bool:
    """Run until `stop` is set or the engine dies; `on_ready` gets the port.

    Returns whether it ended because it was asked to.
    """
    parts, engine = build(config)
    try:
        async with running(parts, config, on_ready):
            return await _first(stop, engine.died) is stop
    finally:
        parts.store.close()


@asynccontextmanager
async def running(
    parts: Parts, config: Config, on_ready: Callable[[int], None]
) -> AsyncIterator[None]:
    """A serving server for the length of the block."""
    engine = parts.model.engine
    await engine.start()
    adapters = Adapters(parts.repo, engine, parts.model.base_sha256, tuple(parts.characters))
    for character in parts.characters:
        await adapters.refresh(character)
    await _warm_up(parts)
    status = _HealthServicer()
    server = _server(parts, adapters, status)
    port = _bind(server, config)
    await server.start()
    watcher = asyncio.create_task(adapters.watch(config.server.adapter_poll_s))
    await _announce(status, health_pb2.HealthCheckResponse.SERVING)
    on_ready(port)
    try:
        yield
    finally:
        await status.enter_graceful_shutdown()
        await server.stop(config.server.grace_s)
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        await engine.close()


def _server(parts: Parts, adapters: Adapters, status: Any) -> grpc.aio.Server:
    sessions = Sessions()
    dialogue = Dialogue(parts.characters, parts.model, adapters, sessions, parts.store)
    server = grpc.aio.server(interceptors=[RequestInterceptor()])
    dialogue_pb2_grpc.add_DialogueServicer_to_server(DialogueService(dialogue), server)
    feedback_pb2_grpc.add_FeedbackServicer_to_server(FeedbackService(parts.store, sessions), server)
    adapters_pb2_grpc.add_AdaptersServicer_to_server(
        AdaptersService(adapters, tuple(parts.characters)), server
    )
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME], server)
    return server


def _bind(server: grpc.aio.Server, config: Config) -> int:
    address = f"{config.server.host}:{config.server.port}"
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigError(f"cannot listen on {address}: is another server running?") from error


async def _announce(status: Any, state: int) -> None:
    for service in ("", *SERVICES):
        await status.set(service, state)


async def _warm_up(parts: Parts) -> None:
    """One real turn, so that SERVING means that it works."""
    engine: Engine = parts.model.engine
    persona = next(iter(parts.characters.values()))
    sampling = sampling_of(persona, seed=0)
    budget = engine.info.context_tokens - sampling.max_tokens
    ids = prompt(persona, (), "Hello.", parts.model.tokenizer, budget).ids
    async with aclosing(engine.generate(Request("warm-up", ids, "", sampling))) as events:
        await anext(events)


async def _first(*events: asyncio.Event) -> asyncio.Event:
    tasks = {asyncio.create_task(event.wait()): event for event in events}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return tasks[done.pop()]
