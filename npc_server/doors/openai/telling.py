"""Writes replies as HTTP responses: whole, or as server-sent events while they are said."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from npc_server.doors.asgi import Send, respond
from npc_server.doors.openai import answers
from npc_server.doors.openai.answers import Decode, Head, Refusal
from npc_server.doors.openai.fields import Completion
from npc_server.doors.openai.requests import HttpCall
from npc_server.engine.protocol import Delta
from npc_server.reply_events import Finished, ReplyEvent, Started

_JSON = (b"content-type", b"application/json")
_EVENTS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"))
_DONE = answers.event(b"[DONE]")

#: The events of some takes on one line, each with its take's number.
Takes = AsyncGenerator[tuple[int, ReplyEvent]]


async def refuse(send: Send, refusal: Refusal) -> None:
    """Send a response that says no."""
    await respond(send, refusal.status, [_JSON, *refusal.headers], answers.encode(refusal.body))


@dataclass
class Response:
    """One response, that begins when there is something to say."""

    call: HttpCall
    send: Send
    begun: bool = False

    async def whole(self, body: answers.JSON) -> None:
        """Send a response in one piece."""
        await respond(
            self.send, 200, [_JSON, *answers.headers_of(self.call.trailing)], answers.encode(body)
        )

    async def event(self, body: answers.JSON) -> None:
        """Send a server-sent event."""
        await self._more(answers.event(answers.encode(body)))

    async def end(self) -> None:
        """End a stream of events."""
        await self._more(_DONE, last=True)

    async def refuse(self, refusal: Refusal) -> None:
        """Say no, within the stream where one has begun."""
        if self.begun:
            await self._more(answers.event(answers.encode(refusal.body)), last=True)
        else:
            await refuse(self.send, refusal)

    async def _more(self, data: bytes, last: bool = False) -> None:
        if not self.begun:
            self.begun = True
            headers = [*_EVENTS, *answers.headers_of(self.call.trailing)]
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.send({"type": "http.response.body", "body": data, "more_body": not last})


@dataclass
class Telling:
    """Writes takes as a completion."""

    wanted: Completion
    decode: Decode
    created: int
    head: Head | None = None  # known when the first take begins
    ended: list[Finished] = field(default_factory=list)

    async def collect(self, events: Takes, response: Response) -> None:
        """Send all takes at once."""
        async for _, event in events:
            self._note(event)
        choices = [answers.choice(i, one, self._logprobs(one)) for i, one in enumerate(self.ended)]
        await response.whole(answers.completion(self._head(), choices, self.ended))

    async def stream(self, events: Takes, response: Response) -> None:
        """Send what is said as it is said; a call that fails before that is refused as a whole."""
        spoken: set[int] = set()
        async for number, event in events:
            self._note(event)
            match event:
                case Delta(text=text):
                    first = number not in spoken
                    spoken.add(number)
                    await response.event(answers.chunk(self._head(), number, text, first))
                case Finished():
                    if number not in spoken:
                        await response.event(answers.chunk(self._head(), number, "", first=True))
                    logprobs = self._logprobs(event)
                    last = answers.last_chunk(self._head(), number, event, logprobs)
                    await response.event(last)
        if self.wanted.usage_in_stream:
            await response.event(answers.usage_chunk(self._head(), self.ended))
        await response.end()

    def _note(self, event: ReplyEvent) -> None:
        if isinstance(event, Started) and self.head is None:
            version = event.adapter_version
            self.head = Head(event.turn_id, self.wanted.model, self.created, version)
        if isinstance(event, Finished):
            self.ended.append(event)

    def _head(self) -> Head:
        assert self.head is not None  # every take begins by Started
        return self.head

    def _logprobs(self, ended: Finished) -> answers.JSON | None:
        if not self.wanted.logprobs:
            return None
        return answers.logprobs_of(ended.reply, self.decode, self.wanted.top_logprobs)
