"""The HTTP port: who may call, how it is framed, and the RPCs, one inside the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

from npc_server.calls import Count
from npc_server.contract import Service
from npc_server.doors.asgi import App, Receive, Scope, Send
from npc_server.doors.origins import for_pages_of
from npc_server.doors.rpcs import Rpcs
from npc_server.doors.text_framing import with_text_framing

#: What asks for a compressed stream, in either protocol.
_COMPRESSED_STREAMS = (b"connect-accept-encoding", b"grpc-accept-encoding")


def web_app(services: Iterable[Service], count: Count, origins: Collection[str]) -> App:
    """All RPCs over Connect and gRPC-Web, for pages of these origins and for other programs."""
    rpcs = cast(App, Rpcs(services, count))  # its types name the same by other names
    return for_pages_of(origins, with_text_framing(_with_plain_streams(rpcs)))


def _with_plain_streams(app: App) -> App:
    """Streams go out uncompressed: a reply is a few bytes at a time, which would become more."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] not in _COMPRESSED_STREAMS]
        await app({**scope, "headers": headers}, receive, send)

    return plain
