"""Build, start and stop the server, in that order of reading.

Stop order: health says NOT_SERVING and new calls are refused; running turns drain for the grace
period; then what watches the engine, the adapters on disk and the age of turns; then what is not
recorded yet gets the grace period too, because the turns above still left records; then the engine
ends, which nothing uses any more; last the store flushes and closes.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from feedback_store.privacy.pseudonyms import Pseudonyms, is_pseudonym, key_for
from feedback_store.rate_limit import RateLimit
from feedback_store.store import Store
from npc.v1 import (
    adapters_pb2,
    adapters_pb2_grpc,
    dialogue_pb2,
    dialogue_pb2_grpc,
    feedback_pb2,
    feedback_pb2_grpc,
)
from npc_server.adapters import Adapters, LiveAdapter, Purpose
from npc_server.base_models import catalogue
from npc_server.config import Config, EngineSection
from npc_server.dialogue import Dialogue, Memory, sampling_of
from npc_server.engine.llama import ContextShape, Vocab
from npc_server.engine.protocol import Engine, EngineOptions, Request
from npc_server.engine.worker import EngineConfig, LlamaEngine
from npc_server.errors import ConfigError
from npc_server.interceptors import RequestInterceptor
from npc_server.metrics import Calls, Events, Sources, serve_metrics
from npc_server.prefill import prefill_opening
from npc_server.reactions import Reactions
from npc_server.recorder import Recorder
from npc_server.retention import sweep_hourly
from npc_server.save_games import SaveGames
from npc_server.service import AdaptersService, DialogueService, FeedbackService
from npc_server.sessions import Sessions
from npc_server.supervision import SupervisedEngine, Supervisor
from npc_server.turns import Model
from personas.adapter_repo import AdapterRepo
from personas.persona import Persona, load_characters
from personas.render import START, prompt

logger = logging.getLogger(__name__)

_HealthServicer: Any = health.aio.HealthServicer  # type: ignore[attr-defined]  # stubs lack aio

#: How long the event loop keeps the interpreter from the store's writer once that wants it. With
#: Python's 5 ms the writer, who asks for it a few times a group, waited longer than it worked.
THREAD_SWITCH_S = 0.0005

#: New objects, then collections of the younger kind, before the garbage collector looks. With
#: Python's (700, 10, 10) it looked through a hundred thousand waiting events again and again.
GC_THRESHOLDS = (50_000, 20, 100)

#: Calls that wait to be taken in: beyond 1,000, gRPC would by itself cancel some of them.
_OPTIONS = (
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
)

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
    heads: AdapterRepo
    pseudonyms: Pseudonyms


def build(config: Config) -> Parts:
    """Open everything the server needs, failing before anything listens.

    Raises PersonaError, ModelUnavailableError, ModelLoadError, ConfigError and the store's errors.
    """
    characters = load_characters(config.paths.characters)
    path = catalogue.resolve(config.model.base, config.paths.cache)
    vocab = Vocab(path)
    _require_chatml(vocab, path)
    engine = LlamaEngine(_engine_config(path, config.engine))
    model = Model(engine, vocab, catalogue.file_sha256(path))
    store, pseudonyms = open_store(config)
    repo, heads = AdapterRepo(config.paths.adapters), AdapterRepo(config.paths.heads)
    return Parts(characters, model, store, repo, heads, pseudonyms)


def open_store(config: Config) -> tuple[Store, Pseudonyms]:
    """The store that a server writes to, and the pseudonyms it knows players by.

    Raises the store's errors, KeyFileError among them.
    """
    limit = RateLimit(config.feedback.events_per_minute, config.feedback.burst)
    store = Store.open(config.paths.store, limit=limit)
    try:
        pseudonyms = Pseudonyms(key_for(config.paths.player_key, store.latest_player()))
        if replaced := store.ensure_pseudonyms(is_pseudonym, pseudonyms.of).result():
            logger.warning("the ids of %d players were replaced by pseudonyms", replaced)
    except BaseException:
        store.close()
        raise
    return store, pseudonyms


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
    _tune_interpreter()
    parts = build(config)
    try:
        async with running(parts, config, on_ready) as supervisor:
            return await _wait_for_first(stop, supervisor.given_up) is stop
    finally:
        parts.store.close()


def _tune_interpreter() -> None:
    sys.setswitchinterval(THREAD_SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)


@asynccontextmanager
async def running(
    parts: Parts, config: Config, on_ready: Callable[[int], None]
) -> AsyncIterator[Supervisor]:
    """A serving server for the length of the block, with who keeps its engine alive."""
    assembly = _assemble(parts, config)
    try:
        await _bring_up(parts, assembly.adapters, assembly.heads)
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
    heads: Adapters
    supervisor: Supervisor
    engine: SupervisedEngine
    sessions: Sessions
    recorder: Recorder
    dialogue: Dialogue
    calls: Calls
    events: Events
    status: Any  # the health servicer


def _assemble(parts: Parts, config: Config) -> _Assembly:
    status = _HealthServicer()

    async def prepare(character: str, adapter: LiveAdapter) -> None:
        # A start would wait for all characters; there the first turns do the reading.
        if supervisor.serving:
            await prefill_opening(parts.model, parts.characters[character], adapter)

    made = parts.model.engine
    base_sha256 = parts.model.base_sha256
    judged = [name for name, one in parts.characters.items() if one.sampling.best_of > 1]
    adapters = Adapters(parts.repo, made, base_sha256, tuple(parts.characters), prepare)
    heads = Adapters(parts.heads, made, base_sha256, judged, prepare, Purpose.HEAD)
    supervisor = Supervisor(
        made, partial(_bring_up, parts, adapters, heads), partial(_announce, status)
    )
    engine = SupervisedEngine(made, supervisor)
    sessions, recorder = Sessions(), Recorder(parts.store)
    silence = timedelta(seconds=config.feedback.silence_s)
    memory = Memory(sessions, recorder, parts.pseudonyms, silence)
    model = replace(parts.model, engine=engine)
    dialogue = Dialogue(parts.characters, model, adapters, memory, heads)
    return _Assembly(
        parts=parts,
        adapters=adapters,
        heads=heads,
        supervisor=supervisor,
        engine=engine,
        sessions=sessions,
        recorder=recorder,
        dialogue=dialogue,
        calls=Calls(),
        events=Events(),
        status=status,
    )


async def _bring_up(parts: Parts, *pools: Adapters) -> None:
    """From nothing, or from a death, to a first word."""
    await parts.model.engine.start()
    for pool in pools:
        await pool.restore()
        await pool.refresh_all()
    await _warm_up(parts)


@asynccontextmanager
async def _listening(assembly: _Assembly, config: Config) -> AsyncIterator[int]:
    """Open the ports, and do what is done beside the calls; yields the port of the calls."""
    section = config.server
    async with serve_metrics(_sources(assembly), section.host, section.metrics_port):
        server = _server(assembly, config)
        port = _bind(server, config)
        beside = (
            assembly.supervisor.run(),
            assembly.adapters.watch(section.adapter_poll_s),
            assembly.heads.watch(section.adapter_poll_s),
            sweep_hourly(assembly.parts.store, config.privacy, config.paths.runs),
        )
        async with assembly.recorder.at_work(section.grace_s), _in_background(*beside):
            await server.start()
            try:
                yield port
            finally:
                await assembly.status.enter_graceful_shutdown()
                assembly.dialogue.end()
                await server.stop(section.grace_s)


@asynccontextmanager
async def _in_background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
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
        events=assembly.events,
        records_waiting=lambda: assembly.recorder.waiting,
        records_dropped=lambda: assembly.recorder.dropped,
        dialogues_open=lambda: len(assembly.sessions),
        serving=lambda: assembly.supervisor.serving,
        restarts=lambda: assembly.supervisor.restarts,
    )


def _server(assembly: _Assembly, config: Config) -> grpc.aio.Server:
    interceptors = [RequestInterceptor(assembly.calls.count)]
    server = grpc.aio.server(interceptors=interceptors, options=_OPTIONS)
    dialogue_pb2_grpc.add_DialogueServicer_to_server(_dialogue_service(assembly), server)
    feedback_pb2_grpc.add_FeedbackServicer_to_server(_feedback_service(assembly, config), server)
    adapters_pb2_grpc.add_AdaptersServicer_to_server(_adapters_service(assembly), server)
    health_pb2_grpc.add_HealthServicer_to_server(assembly.status, server)
    reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME], server)
    return server


def _dialogue_service(assembly: _Assembly) -> DialogueService:
    parts = assembly.parts
    games = SaveGames(parts.characters, assembly.sessions, parts.store, assembly.recorder)
    return DialogueService(assembly.dialogue, games)


def _feedback_service(assembly: _Assembly, config: Config) -> FeedbackService:
    store, count = assembly.parts.store, assembly.events.count
    wait_s = config.feedback.turn_wait_s
    reactions = Reactions(store, assembly.sessions, assembly.recorder, count, wait_s)
    return FeedbackService(reactions)


def _adapters_service(assembly: _Assembly) -> AdaptersService:
    return AdaptersService(assembly.adapters, tuple(assembly.parts.characters), assembly.engine)


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


async def _wait_for_first(*events: asyncio.Event) -> asyncio.Event:
    tasks = {asyncio.create_task(event.wait()): event for event in events}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return tasks[done.pop()]
