"""The server's HTTP door, as a peer that speaks to a server of another peer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType

from benchmarks.errors import PeerBrokeError
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.peers.troupe import Troupe, say_request
from npc.v1 import dialogue_pb2

_SAY: MethodInfo[Any, Any] = MethodInfo(
    name="Say",
    service_name="npc.v1.Dialogue",
    input=dialogue_pb2.SayRequest,
    output=dialogue_pb2.ReplyEvent,
    idempotency_level=IdempotencyLevel.UNKNOWN,
    stream_type=StreamType.SERVER_STREAM,
)


class WebPeer:
    """Replies of a running server over one of the protocols of its HTTP port."""

    def __init__(self, name: str, server: Troupe, port: int, protocol: ProtocolType) -> None:
        self.name = name
        self._server = server
        codec = google_protobuf_binary_codec()
        self._client = ConnectClient(f"http://127.0.0.1:{port}", codec=codec, protocol=protocol)
        self._sessions: dict[int, str] = {}

    async def start(self) -> None:
        """The server is started by its own peer."""

    async def ready(self, turns: Sequence[PlayerTurn]) -> None:
        """Open a fresh session for every turn."""
        self._sessions = {turn.user: await self._server.open(turn) for turn in turns}

    async def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        """Speak in the session that is ready for the turn's user."""
        request, seen = say_request(self._sessions[turn.user], turn), 0
        try:
            async for event in self._client.execute_server_stream(request=request, method=_SAY):
                if event.HasField("delta"):
                    seen += 1
                    yield 1
                elif event.HasField("finished"):
                    yield event.finished.usage.reply_tokens - seen
        except ConnectError as error:
            raise PeerBrokeError(f"{self.name}: {error.code}: {error.message}") from error

    async def stop(self) -> None:
        """The server is ended by its own peer."""
