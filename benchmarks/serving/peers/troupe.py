"""The server under test: `npc serve` as a user starts it, spoken to over gRPC."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio

from benchmarks.errors import PeerBrokeError
from benchmarks.serving.cast import Base, Cast, Member
from benchmarks.serving.peers import Capacity, PlayerTurn
from npc.v1 import dialogue_pb2, dialogue_pb2_grpc
from npc_client import server_process
from npc_client.client import Client, ServerNotReadyError


@dataclass(frozen=True)
class Expected:
    """What a reply has to be made from; None = anything."""

    version: str | None = None  # of the adapter
    prompt_tokens: int | None = None


class Troupe:
    """One `npc serve` with its own data folder."""

    def __init__(
        self,
        name: str,
        base: Base,
        cast: Cast,
        capacity: Capacity,
        settings: Mapping[str, str] = MappingProxyType({}),  # further NPC_* variables
    ) -> None:
        self.name = name
        self._cast = cast
        self._environment = {**_environment(base, cast, capacity), **settings}
        self._open = AsyncExitStack()
        self._sessions: dict[int, str] = {}
        self._dialogue: Any = None
        self._client: Client
        self.process: subprocess.Popen[str]
        self.address = ""  # once started

    async def start(self) -> None:
        """Start the server and wait until it serves, batching as configured."""
        log = self._cast.data / f"{self.name}.log"
        try:
            running = await self._open.enter_async_context(
                server_process.server(log, self._environment)
            )
        except ServerNotReadyError as error:
            raise PeerBrokeError(f"{self.name}: {error}") from error
        self.process, self.address = running.process, running.address
        self._client = await self._open.enter_async_context(Client(running.address))
        channel = await self._open.enter_async_context(grpc.aio.insecure_channel(running.address))
        self._dialogue = dialogue_pb2_grpc.DialogueStub(channel)
        if why := (await self._client.stats()).batching_reason:
            raise PeerBrokeError(f"{self.name} does not batch as configured: {why}")

    async def ready(self, turns: Sequence[PlayerTurn]) -> None:
        """Open a fresh session for every turn, and close those of the last round."""
        with _translate_errors(self.name):
            for session in self._sessions.values():
                await self._client.end_session(session)
        self._sessions = {turn.user: await self.open(turn) for turn in turns}

    def keep_sessions(self) -> None:
        """Leave the sessions of the last round open for good."""
        self._sessions = {}

    async def open(self, turn: PlayerTurn) -> str:
        """A session of the turn's user with its character."""
        with _translate_errors(self.name):
            opened = await self._client.start_session(turn.member.id, f"p{turn.user}")
        return opened.session_id

    async def promote(self, member: Member, version: str) -> None:
        """Make a version of a character's adapter live."""
        with _translate_errors(self.name):
            await self._client.promote(member.id, version)

    async def cache_bytes(self) -> int:
        """What keys and values that are kept for later turns take."""
        with _translate_errors(self.name):
            return int((await self._client.stats()).cache_bytes)

    async def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        """Speak in the session that is ready for the turn's user, whose first turn it is."""
        expected = Expected(prompt_tokens=len(turn.ids))
        async with aclosing(self.say_in(self._sessions[turn.user], turn, expected)) as stream:
            async for count in stream:
                yield count

    async def say_in(
        self, session: str, turn: PlayerTurn, expected: Expected | None = None
    ) -> AsyncGenerator[int]:
        """Speak in a session. Raises PeerBrokeError also when what comes is not as expected."""
        seen, expected = 0, expected or Expected()
        async with aclosing(self._events(session, turn)) as events:
            async for event in events:
                if event.HasField("started"):
                    self._check("adapter", event.started.adapter_version, expected.version)
                elif event.HasField("delta"):
                    seen += 1
                    yield 1
                elif event.HasField("finished"):
                    usage = event.finished.usage
                    self._check("prompt tokens", usage.prompt_tokens, expected.prompt_tokens)
                    yield usage.reply_tokens - seen

    async def _events(
        self, session: str, turn: PlayerTurn
    ) -> AsyncGenerator[dialogue_pb2.ReplyEvent]:
        call = self._dialogue.Say(say_request(session, turn))
        try:
            with _translate_errors(self.name):
                async for event in call:
                    yield event
        finally:
            call.cancel()

    def _check(self, what: str, found: object, wanted: object) -> None:
        if wanted is not None and found != wanted:
            raise PeerBrokeError(f"{self.name}: {what} {found!r}, not {wanted!r}")

    async def stop(self) -> None:
        """End the server."""
        await self._open.aclose()


@contextmanager
def _translate_errors(name: str) -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise PeerBrokeError(f"{name}: {error.code().name}: {error.details()}") from error


def say_request(session: str, turn: PlayerTurn) -> dialogue_pb2.SayRequest:
    """The turn in a session, as the contract has it."""
    sampling = dialogue_pb2.SamplingOverrides(
        min_tokens=turn.sampling.min_tokens,
        max_tokens=turn.sampling.max_tokens,
        max_sentences=turn.sampling.max_sentences,
        grammar=turn.sampling.grammar,
        json_schema=turn.sampling.json_schema,
    )
    return dialogue_pb2.SayRequest(
        session_id=session, text=turn.line, seed=turn.sampling.seed, sampling=sampling
    )


def _environment(base: Base, cast: Cast, capacity: Capacity) -> dict[str, str]:
    return {
        "NPC_PATHS_CHARACTERS": str(cast.characters),
        "NPC_PATHS_DATA": str(cast.data),
        "NPC_MODEL_BASE": str(base.path),
        "NPC_ENGINE_SEQUENCES": str(capacity.sequences),
        "NPC_ENGINE_CONTEXT_TOKENS": str(capacity.context_tokens),
        "NPC_ENGINE_THREADS": str(capacity.threads),
    }
