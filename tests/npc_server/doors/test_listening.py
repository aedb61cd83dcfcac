"""Connections that come, stay too long, and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from npc_server.doors import listening
from npc_server.doors.asgi import App, Receive, Scope, Send, respond
from npc_server.doors.listening import HttpServer
from npc_server.ports import bind_sockets
from tests.support.metrics_page import free_port

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send back the first part of what comes."""
    await respond(send, 200, [], (await receive())["body"])


@asynccontextmanager
async def connected(app: App = echo) -> AsyncIterator[tuple[HttpServer, Link]]:
    """A server of an application, and a connection to it."""
    port = free_port()
    server = HttpServer(app, bind_sockets("127.0.0.1", port), grace_s=2)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield server, (reader, writer)
    finally:
        writer.close()
        await server.stop()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Everything that still comes."""
    async with asyncio.timeout(5):
        return await reader.read()


@pytest.mark.parametrize("sent", [b"", b"POST / HT"], ids=["nothing", "half"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(listening, "HEAD_WITHIN_S", 0.1)
    async with connected() as (_, (reader, writer)):
        writer.write(sent)
        assert await until_closed(reader) == b""


async def test_a_body_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "BODY_PART_WITHIN_S", 0.1)
    async with connected() as (_, (reader, writer)):
        writer.write(HEAD)
        assert (await until_closed(reader)).startswith(b"HTTP/1.1 500")


async def test_a_connection_serves_one_call_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "HEAD_WITHIN_S", 0.1)
    async with connected() as (_, (reader, writer)):
        for said in (b"ab", b"cd"):
            writer.write(HEAD + said)
            assert (await reader.readuntil(said)).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.3)  # idle, which is no head that does not come


async def test_what_runs_when_the_server_stops_ends_first() -> None:
    go_on = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await respond(send, 200, [], b"done")

    async with connected(slow) as (server, (reader, writer)):
        writer.write(HEAD + b"ab")
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.05)
        go_on.set()
        assert (await until_closed(reader)).endswith(b"done")
        await stopping


async def test_what_runs_too_long_when_the_server_stops_is_ended() -> None:
    cancelled = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    async with connected(endless) as (server, (_, writer)):
        writer.write(HEAD + b"ab")
        await asyncio.sleep(0.05)
        await server.stop()
        assert cancelled.is_set()
