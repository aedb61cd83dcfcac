"""gRPC-Web in its text form, for clients that cannot read bytes as they come.

It is the binary form in base64, in pieces that each may end in padding.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from npc_server.doors.asgi import App, Event, Headers, Receive, Scope, Send

_TEXT, _BINARY = b"application/grpc-web-text", b"application/grpc-web"
_PIECE = re.compile(rb"[^=]+=*")


def with_text_framing(app: App) -> App:
    """The application, which speaks the binary form, for clients of both."""

    async def reframe(scope: Scope, receive: Receive, send: Send) -> None:
        if not any(k == b"content-type" and v.startswith(_TEXT) for k, v in scope["headers"]):
            return await app(scope, receive, send)
        headers = _retype(scope["headers"], _TEXT, _BINARY)
        decoding = _Decoding(receive)
        return await app({**scope, "headers": headers}, decoding.receive, _encoding(send))

    return reframe


def _retype(headers: Headers, old: bytes, new: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (key, value.replace(old, new, 1) if key == b"content-type" else value)
        for key, value in headers
    ]


@dataclass
class _Decoding:
    """The body of a request. Its parts may end anywhere; what is over waits for the next."""

    inner: Receive
    over: bytes = field(default=b"")

    async def receive(self) -> Event:
        event = await self.inner()
        if event["type"] != "http.request":
            return event
        text = self.over + event.get("body", b"")
        whole = len(text) - len(text) % 4 if event.get("more_body") else len(text)
        self.over = text[whole:]
        return {**event, "body": _decode(text[:whole])}


def _decode(text: bytes) -> bytes:
    try:
        pieces = (piece.group() for piece in _PIECE.finditer(text))
        return b"".join(binascii.a2b_base64(piece, strict_mode=True) for piece in pieces)
    except binascii.Error as error:
        raise ConnectError(Code.INVALID_ARGUMENT, f"the body is not base64: {error}") from error


def _encoding(send: Send) -> Send:
    async def send_text(event: Event) -> None:
        match event["type"]:
            case "http.response.start":
                headers = _retype(event["headers"], _BINARY, _TEXT)
                await send({**event, "headers": headers})
            case "http.response.body":
                await send({**event, "body": base64.b64encode(event.get("body", b""))})
            case _:
                await send(event)

    return send_text
