"""HTTP requests as this door takes them: whole bodies, and clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass

from npc_server.calls import Metadata
from npc_server.doors.asgi import Receive, Scope

MAX_BODY_BYTES = 1024 * 1024


class BodyTooLargeError(ValueError):
    """A body has more than MAX_BODY_BYTES."""


@dataclass
class HttpCall:
    """A request as a CallContext; what goes back with it are headers."""

    scope: Scope
    method: str  # of the API
    trailing: Metadata = ()

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The request's headers."""
        return {key.decode("latin-1"): value.decode("latin-1") for key, value in self._headers}

    @property
    def _headers(self) -> list[tuple[bytes, bytes]]:
        return list(self.scope["headers"])

    def set_trailing_metadata(self, trailing: Metadata) -> None:
        """Have this sent back with a response that is no refusal."""
        self.trailing = trailing


async def body_of(receive: Receive) -> bytes:
    """The whole body. Raises BodyTooLargeError."""
    body = bytearray()
    while True:
        event = await receive()
        body += event.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError(f"the body has more than {MAX_BODY_BYTES} bytes")
        if not event.get("more_body"):
            return bytes(body)


async def until_gone(receive: Receive, work: Coroutine[None, None, None]) -> None:
    """Do the work, but end it at once when the client leaves, whose body has been read."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
