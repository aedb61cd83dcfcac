"""Which web pages may call: CORS by an allow-list.

A browser names the page's origin with every POST, whether the page is of this host or another, so a
call from a page that is not listed is refused before it is read. That also holds for pages that
have their name point to this machine. Clients that are no browsers name none, and are not asked.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from npc_server.calls import REQUEST_ID_KEY, RETRY_AFTER_KEY
from npc_server.doors.asgi import App, Event, Receive, Scope, Send, header, refuse, respond

logger = logging.getLogger(__name__)

ANY = "*"
#: How long a browser remembers what it was told. Chromium's limit.
_REMEMBERED_S = 7200

#: What OpenAI's own clients tell of themselves.
_STAINLESS = (
    "arch",
    "custom-poll-interval",
    "helper-method",
    "lang",
    "os",
    "package-version",
    "poll-helper",
    "retry-count",
    "runtime",
    "runtime-version",
    "timeout",
)
_SENT = (
    "authorization",
    "connect-protocol-version",
    "connect-timeout-ms",
    "content-type",
    "grpc-timeout",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "x-grpc-web",
    "x-openwebui-chat-id",
    "x-openwebui-user-id",
    *(f"x-stainless-{name}" for name in _STAINLESS),
    "x-user-agent",
    REQUEST_ID_KEY,
)
_SHOWN = (
    "grpc-status",
    "grpc-message",
    "retry-after",
    *(f"{prefix}{key}" for prefix in ("", "trailer-") for key in (REQUEST_ID_KEY, RETRY_AFTER_KEY)),
)


def for_pages_of(origins: Collection[str], app: App) -> App:
    """The application, for clients that are no browsers and for pages of these origins."""

    async def ask_origin(scope: Scope, receive: Receive, send: Send) -> None:
        origin = header(scope, b"origin")
        if not origin:
            await app(scope, receive, send)
        elif not _admits(origins, origin):
            await _refuse_page(origin, send)
        elif scope["method"] == "OPTIONS":
            await _answer_preflight(scope, origin, send)
        else:
            await app(scope, receive, _shown_to(origin, send))

    return ask_origin


def _admits(origins: Collection[str], origin: str) -> bool:
    return ANY in origins or origin in origins


async def _refuse_page(origin: str, send: Send) -> None:
    logger.info("refused a call from a page of %r", origin[:200])
    message = f"pages of {origin} may not call here: list it in [http] origins of npc.toml"
    await refuse(send, 403, "permission_denied", message)


async def _answer_preflight(scope: Scope, origin: str, send: Send) -> None:
    headers = [
        *_for(origin),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", ", ".join(_SENT).encode()),
        (b"access-control-max-age", b"%d" % _REMEMBERED_S),
    ]
    if header(scope, b"access-control-request-private-network"):
        headers.append((b"access-control-allow-private-network", b"true"))
    await respond(send, 204, headers)


def _shown_to(origin: str, send: Send) -> Send:
    shown = (b"access-control-expose-headers", ", ".join(_SHOWN).encode())

    async def sending(event: Event) -> None:
        if event["type"] == "http.response.start":
            event = {**event, "headers": [*event["headers"], *_for(origin), shown]}
        await send(event)

    return sending


def _for(origin: str) -> list[tuple[bytes, bytes]]:
    return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
