"""HTTP/1.1 on a port, by uvicorn in the server's own event loop.

Nobody holds a connection for nothing: a head of a request must come within a time and a size, and a
part of a body within a time. What a client does not read waits in a buffer of a fixed size, and
behind it in the one reply that is being made.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from typing import Any

import h11
import uvicorn
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from npc_server.doors.asgi import App, Event, Receive, Scope, Send
from npc_server.keys.tls import TlsFiles

MAX_HEAD_BYTES = 16 * 1024
HEAD_WITHIN_S = 10.0
BODY_PART_WITHIN_S = 30.0
IDLE_S = 30  # that a connection without a call is kept


class HttpServer:
    """Serves an application on bound sockets from `start` to `stop`, over TLS where given files."""

    def __init__(
        self,
        app: App,
        sockets: list[socket.socket],
        grace_s: float,
        tls: TlsFiles | None = None,
    ) -> None:
        self._sockets = sockets
        config = uvicorn.Config(
            _with_prompt_bodies(app),
            http="h11",  # caps heads, which the faster one does not
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=math.ceil(grace_s),
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
            ssl_ca_certs=str(tls.client_ca) if tls and tls.client_ca else None,
            ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls.client_ca else ssl.CERT_NONE,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._hurrying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer from now on."""
        await self._server.startup(self._sockets)
        self._hurrying = asyncio.create_task(_hurry(self._server.server_state.connections))

    async def stop(self) -> None:
        """Take no more calls; those that run end in the grace period, or are ended."""
        if self._hurrying:
            self._hurrying.cancel()
            await self._server.shutdown()
            await asyncio.gather(*self._server.server_state.tasks, return_exceptions=True)


async def _hurry(connections: set[Any]) -> None:
    """Close what has sent a part of a head, or nothing, from one look to the next."""
    before: dict[Any, Any] = {}
    while True:
        await asyncio.sleep(HEAD_WITHIN_S)
        now = {one: one.cycle for one in connections if _awaits_head(one)}
        for one in now.keys() & before.keys():
            if now[one] is before[one]:
                one.transport.close()
        before = now


def _awaits_head(connection: Any) -> bool:
    kept_alive = connection.timeout_keep_alive_task is not None  # uvicorn's own clock runs
    return connection.conn.their_state is h11.IDLE and not kept_alive


def _with_prompt_bodies(app: App) -> App:
    async def prompt(scope: Scope, receive: Receive, send: Send) -> None:
        whole = False

        async def receive_part() -> Event:
            nonlocal whole
            if whole:
                return await receive()
            event = await _within(BODY_PART_WITHIN_S, receive)
            whole = not event.get("more_body")
            return event

        await app(scope, receive_part, send)

    return prompt


async def _within(seconds: float, receive: Receive) -> Event:
    try:
        async with asyncio.timeout(seconds):
            return await receive()
    except TimeoutError as error:
        message = f"no part of the request's body came for {seconds:g} s"
        raise ConnectError(Code.DEADLINE_EXCEEDED, message) from error
