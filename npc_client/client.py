"""The gRPC client: sessions, streamed replies, save games, feedback and adapter versions in Python
terms.

One `Client` holds one channel and serves any number of sessions at once. It is the package's face:
what its methods take and return can be imported from here. The calls of each service are in
`npc_client.calls`.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from npc.v1 import dialogue_pb2
from npc_client.access import OPEN, Access, open_channel, with_key
from npc_client.calls.adapters import AdapterCalls
from npc_client.calls.dialogue import DialogueCalls, SamplingOverrides
from npc_client.calls.feedback import FeedbackCalls
from npc_client.calls.keys import KeyCalls
from npc_client.calls.memory import MemoryCalls
from npc_client.calls.personas import PersonaCalls, PersonaStatus
from npc_client.calls.scenes import SceneCalls
from npc_client.context import ContextMode, WorldValues, Written
from npc_client.events import REASONS, EventStatus, SubmitRequest, new_event, new_event_id
from npc_client.records import (
    Action,
    Bark,
    Conversation,
    Emotion,
    LivedExchange,
    LivedLine,
    Notes,
    PlayerToken,
    Remembered,
    RememberedFact,
    RememberedTalk,
    Reply,
    Restored,
    RestoredScene,
    Scene,
    SceneLine,
    SceneMember,
    SceneTalk,
    Silence,
    ToldNote,
)
from npc_client.reply_stream import OnText, ReplyStream, new_line_id
from npc_client.scenes import OnLine, OnWords

__all__ = [
    "REASONS",
    "Access",
    "Action",
    "Bark",
    "Client",
    "ContextMode",
    "Conversation",
    "Emotion",
    "EventStatus",
    "LivedExchange",
    "LivedLine",
    "Notes",
    "OnLine",
    "OnText",
    "OnWords",
    "PersonaStatus",
    "PlayerToken",
    "Remembered",
    "RememberedFact",
    "RememberedTalk",
    "Reply",
    "ReplyStream",
    "Restored",
    "RestoredScene",
    "SamplingOverrides",
    "Scene",
    "SceneLine",
    "SceneMember",
    "SceneTalk",
    "ServerNotReadyError",
    "Silence",
    "SubmitRequest",
    "ToldNote",
    "WorldValues",
    "Written",
    "new_event",
    "new_event_id",
    "new_line_id",
]

_DIALOGUE = dialogue_pb2.DESCRIPTOR.services_by_name["Dialogue"].full_name


class ServerNotReadyError(Exception):
    """The server did not report SERVING in time."""


class Client(
    DialogueCalls, SceneCalls, FeedbackCalls, MemoryCalls, PersonaCalls, AdapterCalls, KeyCalls
):
    """Talks to one server, all services of it. Use as an async context manager."""

    def __init__(self, address: str, access: Access = OPEN) -> None:
        """Raises OSError for a file of `access` that cannot be read."""
        self.address = address
        self._channel = open_channel(address, access)
        keyed = with_key(self._channel, access.key)
        DialogueCalls.__init__(self, keyed)
        SceneCalls.__init__(self, keyed)
        FeedbackCalls.__init__(self, keyed)
        MemoryCalls.__init__(self, keyed)
        PersonaCalls.__init__(self, keyed)
        AdapterCalls.__init__(self, keyed)
        KeyCalls.__init__(self, keyed)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls that are running are cancelled."""
        await self._channel.close(grace=None)

    async def wait_until_serving(self, timeout_s: float) -> None:
        """Return once the standard health check answers SERVING. Raises ServerNotReadyError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if await self._is_serving():
                return
            await asyncio.sleep(0.1)
        raise ServerNotReadyError(f"{self.address} is not SERVING after {timeout_s:.0f} s")

    async def _is_serving(self) -> bool:
        try:
            answer = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def has_characters(self, timeout_s: float) -> bool:
        """Whether a server of characters answers here, ready or not, and no other program."""
        request = health_pb2.HealthCheckRequest(service=_DIALOGUE)
        try:
            await self._health.Check(request, timeout=timeout_s)
        except grpc.aio.AioRpcError:
            return False
        return True
