"""The HTTP port: who may call, and what is where: the RPCs, framed, and the OpenAI API."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

from npc_server.calls import Reception
from npc_server.contract import Service
from npc_server.doors.asgi import App, Receive, Scope, Send, refuse
from npc_server.doors.openai.door import PREFIX
from npc_server.doors.origins import for_pages_of
from npc_server.doors.rpcs import Rpcs
from npc_server.doors.text_framing import with_text_framing

#: What asks for a compressed stream, in either protocol.
_COMPRESSED_STREAMS = (b"connect-accept-encoding", b"grpc-accept-encoding")


def web_app(
    services: Iterable[Service], reception: Reception, origins: Collection[str], openai: App
) -> App:
    """All that the port answers, for pages of these origins and for other programs."""
    rpcs = cast(App, Rpcs(services, reception))  # its types name the same by other names
    framed = with_text_framing(_with_plain_streams(rpcs))

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        app = openai if scope["path"].startswith(PREFIX) else framed
        await app(scope, receive, send)

    return _with_readable_heads(for_pages_of(origins, by_path))


def _with_readable_heads(app: App) -> App:
    """Headers that are no text are refused by name; connectrpc would call them our fault."""

    async def readable(scope: Scope, receive: Receive, send: Send) -> None:
        if name := next((name for name, value in scope["headers"] if not _is_text(value)), None):
            message = (
                f"header {name.decode()} is not UTF-8; give bytes as base64, under a name in -bin"
            )
            await refuse(send, 400, "invalid_argument", message)
        else:
            await app(scope, receive, send)

    return readable


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _with_plain_streams(app: App) -> App:
    """Streams go out uncompressed: a reply is a few bytes at a time, which would become more."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] not in _COMPRESSED_STREAMS]
        await app({**scope, "headers": headers}, receive, send)

    return plain
