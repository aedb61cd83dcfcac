"""Start and stop the server.

Stop order: health says NOT_SERVING and new calls are refused; running turns drain for the grace
period; then the watchers of the engine, the aliases on disk and the age of turns end; then unstored
records get the grace period too, because the turns above still left some; then the engine ends,
which nothing uses any more; last the store flushes and closes.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from npc_server.action_reports import ActionReports
from npc_server.adapters import Adapters, LiveAdapter, Purpose
from npc_server.admin import Phase, Readiness, serve_admin
from npc_server.admission import Admission
from npc_server.allowances import Allowances
from npc_server.calls import Reception
from npc_server.client_notes import ClientNotes
from npc_server.config import Config
from npc_server.contract import NAMES, Service, services_of
from npc_server.conversations import Conversations
from npc_server.data_lock import hold
from npc_server.dialogue import Dialogue
from npc_server.engine.protocol import Engine, Request
from npc_server.errors import ConfigError
from npc_server.event_queue import EventQueue
from npc_server.guard import Guard, GuardNotes
from npc_server.interceptors import RequestInterceptor
from npc_server.keys.gate import Gate
from npc_server.keys.keys_file import read_keys
from npc_server.keys.quotas import Quotas
from npc_server.keys.service import KeysService
from npc_server.keys.tls import FollowedTls, require_guarded
from npc_server.live_cast import Cast
from npc_server.memory.idle_asking import IdleAsking
from npc_server.memory.memory import Memory
from npc_server.memory.proposing import Proposer
from npc_server.memory.summarising import Summariser
from npc_server.metrics import Calls, Events, ServerCollector, Sources
from npc_server.owned_service import require_ownership
from npc_server.ownership import Ownership
from npc_server.parts import Parts, open_parts
from npc_server.persona_desk import PersonaDesk
from npc_server.persona_service import PersonasService
from npc_server.personal_data import PolicyOfCast, warn_if_off
from npc_server.ports import bind_sockets, require_free
from npc_server.prefill import prefill_opening
from npc_server.reactions import Reactions
from npc_server.recorder import Recorder
from npc_server.reflection import enable_reflection
from npc_server.reloading import Reloading
from npc_server.reply_sampling import sampling_of
from npc_server.retention import sweep_hourly
from npc_server.save_games import SaveGames
from npc_server.scenes.scenes import Scenes
from npc_server.scenes.service import ScenesService, scenes_service
from npc_server.service import AdaptersService, DialogueService, FeedbackService, MemoryService
from npc_server.sessions import Sessions
from npc_server.supervision import SupervisedEngine, Supervisor
from npc_server.turns import SENTENCE_RULE, Model
from npc_server.world_notes import WorldNotes
from personas.chat_ids import chat_of
from personas.render import prompt

if TYPE_CHECKING:
    from npc_server.doors.asgi import App
    from npc_server.doors.listening import HttpServer

logger = logging.getLogger(__name__)

_HealthServicer: Any = health.aio.HealthServicer  # type: ignore[attr-defined]  # stubs lack aio

#: How long the event loop keeps the interpreter from the store's writer once that wants it. With
#: Python's 5 ms the writer, which asks a few times per group, waited longer than it worked.
THREAD_SWITCH_S = 0.0005

#: New objects before the youngest generation is collected, then collections of each generation
#: before the next older. With Python's (700, 10, 10) the garbage collector walked through a hundred
#: thousand waiting events again and again.
GC_THRESHOLDS = (50_000, 20, 100)

#: Of the gRPC server.
OPTIONS = (
    # Calls that may wait to be accepted: gRPC's default cancels some of them beyond 1,000.
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    # By default a second server would share the port, and half of the calls would miss their
    # sessions.
    ("grpc.so_reuseport", 0),
    # A client that vanished without a word is asked after the first, and given up after the others:
    # one where no machine answers, and one whose machine does and whose program does not.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
)


async def serve(
    config: Config,
    on_ready: Callable[[int], None],
    stop: asyncio.Event,
    insecure: bool = False,
) -> bool:
    """Run until `stop` is set or a dead engine is given up, and return whether it was `stop`.

    `on_ready` gets the port. With `insecure`, also where strangers come without TLS or keys.
    Raises ConfigError when another server has the port or the data folder, and as `open_parts`.
    """
    sys.setswitchinterval(THREAD_SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
    warn_if_off(config.privacy)
    for port in (config.server.port, config.server.http_port):
        require_free(config.server.host, port)
    require_guarded(
        config.server.host,
        has_tls=config.tls.files is not None,
        has_keys=bool(read_keys(config.paths.keys)),
        insecure=insecure,
    )
    with hold(config.paths.data):
        with _without_collections():
            parts = open_parts(config)
        try:
            async with running(parts, config, on_ready) as supervisor:
                return await _wait_for_first(stop, supervisor.given_up) is stop
        finally:
            parts.store.close()


@contextmanager
def _without_collections() -> Iterator[None]:
    """What is made within the block stays, and is never walked through to be collected."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@asynccontextmanager
async def running(
    parts: Parts, config: Config, on_ready: Callable[[int], None]
) -> AsyncIterator[Supervisor]:
    """Serve for the length of the block; yields the supervisor of the engine."""
    assembly, section = _assemble(parts, config), config.server
    figures = ServerCollector(_sources(assembly), asyncio.get_running_loop())
    try:
        async with serve_admin(figures, assembly.readiness, section.host, section.metrics_port):
            await _bring_up(parts.model, assembly.cast, assembly.adapters, assembly.heads)
            async with _listen(assembly, config) as port:
                await _announce(assembly.status, serving=True)
                assembly.readiness.phase = Phase.SERVING
                on_ready(port)
                yield assembly.supervisor
    finally:
        await parts.model.engine.close()


@dataclass(frozen=True)
class _Assembly:
    """Everything that runs, made of the parts."""

    parts: Parts
    cast: Cast
    adapters: Adapters
    heads: Adapters
    supervisor: Supervisor
    engine: SupervisedEngine
    sessions: Sessions
    recorder: Recorder
    dialogue: Dialogue
    guard: Guard
    memory: Memory
    scenes: ScenesService
    reports: ActionReports
    queue: EventQueue
    reactions: Reactions
    calls: Calls
    gate: Gate
    ownership: Ownership
    allowances: Allowances
    events: Events
    status: Any  # the health servicer
    readiness: Readiness


def _assemble(parts: Parts, config: Config) -> _Assembly:
    status, cast = _HealthServicer(), Cast(parts.characters)

    async def prepare(character: str, adapter: LiveAdapter) -> None:
        # A start would wait for all characters; there the first turns compute it.
        # Who comes to the cast is prefilled when they are in it.
        if supervisor.serving and (persona := cast.get(character)):
            await prefill_opening(parts.model, persona, adapter)

    made = parts.model.engine
    base_sha256 = parts.model.base_sha256
    judged = [name for name, one in cast.items() if one.sampling.best_of > 1]
    chat = chat_of(parts.model.tokenizer)
    adapters = Adapters(parts.repo, made, base_sha256, tuple(cast), prepare, chat=chat)
    heads = Adapters(parts.heads, made, base_sha256, judged, prepare, Purpose.HEAD, chat=chat)
    supervisor = Supervisor(
        made, partial(_bring_up, parts.model, cast, adapters, heads), partial(_announce, status)
    )
    engine = SupervisedEngine(made, supervisor)
    sessions, recorder = Sessions(), Recorder(parts.store)
    silence = timedelta(seconds=config.feedback.silence_s)
    redaction = PolicyOfCast(config.privacy, cast)
    kept = Conversations(sessions, recorder, parts.pseudonyms, silence, redaction)
    model = replace(parts.model, engine=engine)
    memory = _memory(parts, config, kept, model, adapters)
    guard = Guard(cast, config.guard.settings, lambda: cast.changes)
    guard.make_ready()
    reports = ActionReports(sessions, recorder, model.tokenizer)
    world = WorldNotes(parts.lore, config.lore.settings.rules, config.lore.tokens)
    client = ClientNotes(model.tokenizer, config.http.system_tokens)
    scenes = Scenes(cast, kept, parts.store.forgotten_among, config.scenes.limits)
    sources, watchers = (world, memory, GuardNotes(guard), reports, client), (memory,)
    dialogue = Dialogue(cast, model, adapters, kept, heads, sources, watchers, guard)
    queue, events = EventQueue(parts.store, lambda: dialogue.speaking > 0), Events()
    wait_s = config.feedback.turn_wait_s
    reactions = Reactions(queue, sessions, recorder, events.count, wait_s, redaction)
    ownership = Ownership(cast, sessions, scenes, parts.store, parts.pseudonyms)
    quotas = Quotas(config.quotas.of_games, config.quotas.of_players)
    return _Assembly(
        parts=parts,
        cast=cast,
        adapters=adapters,
        heads=heads,
        supervisor=supervisor,
        engine=engine,
        sessions=sessions,
        recorder=recorder,
        dialogue=dialogue,
        memory=memory,
        guard=guard,
        scenes=scenes_service(
            scenes, cast, kept, dialogue, model, adapters, parts.store, config.scenes.limits
        ),
        reports=reports,
        queue=queue,
        reactions=reactions,
        calls=Calls(),
        gate=Gate(parts.keys, parts.tokens, _characters_by_game(config)),
        ownership=ownership,
        allowances=Allowances(quotas, ownership, sessions),
        events=events,
        status=status,
        readiness=Readiness(lambda: supervisor.serving),
    )


def _characters_by_game(config: Config) -> dict[str, frozenset[str]]:
    return {name: frozenset(game.characters) for name, game in config.games.items()}


def _memory(
    parts: Parts, config: Config, kept: Conversations, model: Model, adapters: Adapters
) -> Memory:
    section, store, recorder = config.memory, parts.store, kept.recorder
    tokenizer, tokens = model.tokenizer, section.prompt_tokens
    asker = IdleAsking(model.engine, adapters)
    summed_up, proposed = section.summaries and tokens > 0, section.proposals and tokens > 0
    summariser = Summariser(model, asker, store, recorder) if summed_up else None
    proposer = Proposer(asker, tokenizer, recorder) if proposed else None
    return Memory(store, recorder, kept.sessions, tokenizer, tokens, summariser, proposer)


async def _bring_up(model: Model, cast: Cast, *pools: Adapters) -> None:
    """Start the engine, the first time or after a death, load its adapters, and run a turn."""
    await model.engine.start()
    for pool in pools:
        await pool.restore()
        await pool.refresh_all()
    await _warm_up(model, cast)


@asynccontextmanager
async def _listen(assembly: _Assembly, config: Config) -> AsyncIterator[int]:
    """Open the ports and run the background tasks; yields the gRPC port."""
    section = config.server
    services = _services(assembly, config)
    server = _grpc_server(services, assembly, config)
    port, web = _bind(server, config), list(_web_doors(services, assembly, config))
    background = (
        assembly.supervisor.run(),
        assembly.adapters.watch(section.adapter_poll_s),
        assembly.heads.watch(section.adapter_poll_s),
        sweep_hourly(assembly.parts.store, config.privacy, config.paths.runs),
        *_follow_files(assembly, config),
    )
    async with assembly.recorder.at_work(section.grace_s), _in_background(*background):
        await server.start()
        for door in web:
            await door.start()
        try:
            yield port
        finally:
            assembly.readiness.phase = Phase.STOPPING
            await assembly.status.enter_graceful_shutdown()
            assembly.dialogue.end()
            stopping = [door.stop() for door in web]
            await asyncio.gather(server.stop(section.grace_s), *stopping)
            await assembly.memory.end()


def _follow_files(assembly: _Assembly, config: Config) -> Iterator[Coroutine[Any, Any, None]]:
    """The task that follows the cast's files, where it has some."""
    if folder := assembly.parts.folder:
        pools, model = (assembly.adapters, assembly.heads), assembly.parts.model
        admission = Admission(model, *pools, assembly.sessions)
        yield Reloading(assembly.cast, folder, admission).run(config.reload)


@asynccontextmanager
async def _in_background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run tasks for the length of the block. Raises the first error that one of them ended in."""
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
        events_waiting=lambda: assembly.queue.waiting,
        records_waiting=lambda: assembly.recorder.waiting,
        records_dropped=lambda: assembly.recorder.dropped,
        dialogues_open=lambda: len(assembly.sessions),
        serving=lambda: assembly.readiness.engine_up,
        restarts=lambda: assembly.supervisor.restarts,
        guard_hits=assembly.guard.hits_so_far,
    )


def _services(assembly: _Assembly, config: Config) -> tuple[Service, ...]:
    """All that is answered for, by whatever door."""
    desk = PersonaDesk(assembly.cast, assembly.parts.folder, assembly.parts.model)
    servicers = (
        _dialogue_service(assembly),
        FeedbackService(assembly.reactions, assembly.ownership, assembly.allowances),
        _adapters_service(assembly, config),
        MemoryService(assembly.memory),
        assembly.scenes,
        PersonasService(desk, config.reload.watch),
        KeysService(assembly.parts.tokens),
    )
    services = services_of(servicers)
    for service in services:
        if service.descriptor.name != "Feedback":  # it names stored turns: there the store looks
            require_ownership(
                service.servicer, service.descriptor, assembly.ownership, assembly.allowances
            )
    return services


def _reception(assembly: _Assembly) -> Reception:
    return Reception(assembly.calls.count, assembly.gate.admit)


def _grpc_server(
    services: Sequence[Service], assembly: _Assembly, config: Config
) -> grpc.aio.Server:
    interceptors = [RequestInterceptor(_reception(assembly))]
    server = grpc.aio.server(interceptors=interceptors, options=OPTIONS)
    for service in services:
        service.put_on(server)
    health_pb2_grpc.add_HealthServicer_to_server(assembly.status, server)
    if config.server.reflection:
        enable_reflection([*NAMES, health.SERVICE_NAME], server)
    return server


def _web_doors(
    services: Sequence[Service], assembly: _Assembly, config: Config
) -> Iterator[HttpServer]:
    """The HTTP port, where one is set."""
    if port := config.server.http_port:
        from npc_server.doors.listening import HttpServer  # late: it takes 12 MB
        from npc_server.doors.web import web_app

        sockets = bind_sockets(config.server.host, port)
        openai = _openai(assembly, config)
        app = web_app(services, _reception(assembly), config.http.origins, openai)
        yield HttpServer(app, sockets, config.server.grace_s, config.tls.files)


def _openai(assembly: _Assembly, config: Config) -> App:
    from npc_server.doors.openai.assembling import Answering, openai_door

    model = replace(assembly.parts.model, engine=assembly.engine)
    answering = Answering(
        assembly.cast,
        assembly.dialogue,
        assembly.reactions,
        assembly.sessions,
        assembly.adapters,
        model,
        assembly.ownership,
        assembly.allowances,
    )
    return openai_door(answering, config.http, _reception(assembly))


def _dialogue_service(assembly: _Assembly) -> DialogueService:
    parts = assembly.parts
    games = SaveGames(assembly.cast, assembly.sessions, parts.store, assembly.recorder)
    return DialogueService(assembly.dialogue, games, assembly.reports, assembly.allowances)


def _adapters_service(assembly: _Assembly, config: Config) -> AdaptersService:
    adapters, cast = assembly.adapters, assembly.cast
    return AdaptersService(adapters, cast, assembly.engine, config.paths.audit)


def _bind(server: grpc.aio.Server, config: Config) -> int:
    address = f"{config.server.host}:{config.server.port}"
    try:
        if (files := config.tls.files) is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, FollowedTls(files).credentials())
    except RuntimeError as error:
        raise ConfigError(f"cannot listen on {address}: is another server running?") from error


async def _announce(status: Any, serving: bool) -> None:
    states = health_pb2.HealthCheckResponse
    state = states.SERVING if serving else states.NOT_SERVING
    for service in ("", *NAMES):
        await status.set(service, state)


async def _warm_up(model: Model, cast: Cast) -> None:
    """Run one real turn, so that SERVING means that turns work."""
    engine: Engine = model.engine
    persona = next(iter(cast.values()))
    sampling = sampling_of(persona, seed=0)
    budget = engine.info.context_tokens - sampling.max_tokens
    ids = prompt(persona, (), "Hello.", model.tokenizer, budget).ids
    request = Request("warm-up", ids, sampling=sampling, sentences=SENTENCE_RULE)
    async with aclosing(engine.generate(request)) as events:
        await anext(events)


async def _wait_for_first(*events: asyncio.Event) -> asyncio.Event:
    tasks = {asyncio.create_task(event.wait()): event for event in events}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return tasks[done.pop()]
