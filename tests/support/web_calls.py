"""Calls through the HTTP port: as a program with a client library makes them, and byte by byte."""

from __future__ import annotations

import asyncio
import http.client
import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from npc.v1 import dialogue_pb2

JSON = {"content-type": "application/json"}
GRPC_WEB = {"content-type": "application/grpc-web+proto"}
GRPC_WEB_TEXT = {"content-type": "application/grpc-web-text"}
WORDS = "One two three four."  # what Mira says
PAGE = "https://play.example.com"  # the page that may call
CLIENTS = {
    "connect": (ProtocolType.CONNECT, google_protobuf_binary_codec()),
    "connect-json": (ProtocolType.CONNECT, google_protobuf_json_codec()),
    "grpc-web": (ProtocolType.GRPC_WEB, google_protobuf_binary_codec()),
}


@dataclass(frozen=True)
class WebClient:
    """A program that calls RPCs, such as `Dialogue/Say`, in one of the ways of `CLIENTS`."""

    port: int
    way: str

    async def call(self, rpc: str, request: Any, **options: Any) -> Any:
        """The answer of a unary call."""
        return await self._client().execute_unary(request=request, method=_method(rpc), **options)

    def stream(self, rpc: str, request: Any, **options: Any) -> AsyncIterator[Any]:
        """The answers of a server-streaming call."""
        return self._client().execute_server_stream(request=request, method=_method(rpc), **options)

    def _client(self) -> ConnectClient:
        protocol, codec = CLIENTS[self.way]
        return ConnectClient(f"http://127.0.0.1:{self.port}", codec=codec, protocol=protocol)


async def opened(client: WebClient) -> str:
    """A session of player p1 with Mira."""
    request = dialogue_pb2.StartSessionRequest(character="mira", player_id="p1")
    return str((await client.call("Dialogue/StartSession", request)).session_id)


async def said(client: WebClient, session: str) -> list[dialogue_pb2.ReplyEvent]:
    """All events of a reply."""
    return [event async for event in client.stream("Dialogue/Say", line(session))]


def line(session: str) -> dialogue_pb2.SayRequest:
    """Something to say."""
    return dialogue_pb2.SayRequest(session_id=session, text="Hello.")


def framed(message: Message) -> bytes:
    """A message in a frame, as both protocols have it in streams."""
    data = message.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """The flags and the content of each frame."""
    found: list[tuple[int, bytes]] = []
    while body:
        flags, length = struct.unpack(">BI", body[:5])
        found.append((flags, body[5 : 5 + length]))
        body = body[5 + length :]
    return found


def _method(rpc: str) -> MethodInfo[Any, Any]:
    service, _, name = rpc.partition("/")
    found = Default().FindServiceByName(f"npc.v1.{service}").methods_by_name[name]
    return MethodInfo(
        name=name,
        service_name=f"npc.v1.{service}",
        input=GetMessageClass(found.input_type),
        output=GetMessageClass(found.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if found.server_streaming else StreamType.UNARY,
    )


@dataclass(frozen=True)
class Answer:
    """A whole HTTP response."""

    status: int
    headers: Mapping[str, str]  # names are in lower case
    body: bytes


async def ask(
    port: int,
    rpc: str,
    body: bytes = b"{}",
    headers: Mapping[str, str] = JSON,
    verb: str = "POST",
) -> Answer:
    """One request, written by hand."""

    def asked() -> Answer:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        link.request(verb, f"/npc.v1.{rpc}", body, dict(headers))
        got = link.getresponse()
        shown = {name.lower(): value for name, value in got.getheaders()}
        answer = Answer(got.status, shown, got.read())
        link.close()
        return answer

    return await asyncio.to_thread(asked)
