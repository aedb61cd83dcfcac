"""gRPC-Web in its text form, in whatever pieces it comes."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from npc_server.doors.asgi import Receive, Scope, Send
from npc_server.doors.text_framing import with_text_framing

TEXT = [(b"content-type", b"application/grpc-web-text+proto")]
BINARY = (b"content-type", b"application/grpc-web+proto")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send back all that comes, as the binary form."""
    assert list(scope["headers"]) == [BINARY]
    await send({"type": "http.response.start", "status": 200, "headers": [BINARY]})
    more = True
    while more:
        event = await receive()
        more = event["more_body"]
        await send({"type": "http.response.body", "body": event["body"], "more_body": more})


async def echoed(parts: list[bytes]) -> tuple[list[Any], bytes]:
    """The headers and the body that come back for a body that comes in parts."""
    sent: list[Any] = []
    waiting = [
        {"type": "http.request", "body": part, "more_body": i + 1 < len(parts)}
        for i, part in enumerate(parts)
    ]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(event: Any) -> None:
        sent.append(event)

    await with_text_framing(echo)({"type": "http", "headers": TEXT}, receive, send)
    body = b"".join(base64.b64decode(event["body"], validate=True) for event in sent[1:])
    return sent[0]["headers"], body


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=5), cut=st.integers(1, 9))
async def test_a_body_may_be_cut_and_padded_anywhere(pieces: list[bytes], cut: int) -> None:
    text = b"".join(map(base64.b64encode, pieces))
    parts = [text[i : i + cut] for i in range(0, len(text), cut)] or [b""]
    assert (await echoed(parts))[1] == b"".join(pieces)


async def test_what_comes_back_names_the_text_form() -> None:
    assert (await echoed([b""]))[0] == TEXT
