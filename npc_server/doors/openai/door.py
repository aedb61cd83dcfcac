"""The ASGI application: `/v1/chat/completions`, `/v1/models`, `/v1/feedback`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectrpc.errors import ConnectError

from feedback_store.records import Receipt
from npc_server.calls import Count, RefusedError, answering
from npc_server.doors.asgi import Receive, Scope, Send, header, respond
from npc_server.doors.openai import answers
from npc_server.doors.openai.answers import Decode, Head, Refusal
from npc_server.doors.openai.callers import caller_of
from npc_server.doors.openai.fields import Completion, completion_of
from npc_server.doors.openai.reactions import reaction_of
from npc_server.doors.openai.requests import BodyTooLargeError, HttpCall, body_of, until_gone
from npc_server.doors.openai.talks import Asked, Talks
from npc_server.doors.openai.task_answers import TaskAnswers
from npc_server.doors.openai.tasks import is_task
from npc_server.engine.protocol import Delta
from npc_server.errors import InvalidRequestError
from npc_server.limits import check_id
from npc_server.reactions import Reactions
from npc_server.reply_events import Finished, ReplyEvent, Started
from personas.persona import Persona

PREFIX = "/v1/"
_COMPLETIONS, _MODELS, _FEEDBACK = "chat/completions", "models", "feedback"
_JSON = (b"content-type", b"application/json")
_EVENTS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"))
_DONE = answers.event(b"[DONE]")


@dataclass(frozen=True)
class OpenAiDoor:
    """The door, over what answers."""

    cast: Mapping[str, Persona]
    talks: Talks
    tasks: TaskAnswers
    reactions: Reactions
    decode: Decode
    answers_tasks: bool  # of front-ends
    count: Count
    clock: Callable[[], float] = field(default=time.time)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"].removeprefix(PREFIX).rstrip("/")
        verb = "GET" if path.partition("/")[0] == _MODELS else "POST"
        if path.partition("/")[0] != _MODELS and path not in (_COMPLETIONS, _FEEDBACK):
            await _refuse(send, answers.refusal(404, f"there is no {scope['path'][:200]}"))
        elif scope["method"] != verb:
            await _refuse(send, answers.refusal(405, f"{scope['path'][:200]} takes {verb}"))
        else:
            await self._answer(path, scope, receive, send)

    async def _answer(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await body_of(receive)
        except BodyTooLargeError as error:
            return await _refuse(send, answers.refusal(413, str(error)))
        except ConnectError as error:
            return await _refuse(send, answers.refusal(408, str(error)))
        named = _MODELS if path.startswith(_MODELS) else path  # not each model by itself
        call = HttpCall(scope, f"{PREFIX}{named}")
        return await until_gone(receive, self._respond(call, path, body, send))

    async def _respond(self, call: HttpCall, path: str, body: bytes, send: Send) -> None:
        response = _Response(call, send)
        try:
            async with answering(call, self.count):
                if path == _COMPLETIONS:
                    await self._complete(call, body, response)
                elif path == _FEEDBACK:
                    await self._take_feedback(body, response)
                else:
                    await self._tell_models(path, response)
        except RefusedError as refused:
            await response.refuse(answers.refusal_of(refused))

    async def _tell_models(self, path: str, response: _Response) -> None:
        _, _, name = path.partition("/")
        if name:
            await response.whole(answers.model(self.talks.persona(name)))
        else:
            personas = sorted(self.cast.values(), key=lambda persona: persona.id)
            await response.whole(answers.models(personas))

    async def _take_feedback(self, body: bytes, response: _Response) -> None:
        result = await self.reactions.submit(reaction_of(body, datetime.now(UTC)))
        if not isinstance(result, Receipt):
            raise result
        told = {"event_id": result.event_id, "duplicate": result.duplicate}
        await response.whole({"object": "feedback", **told})

    async def _complete(self, call: HttpCall, body: bytes, response: _Response) -> None:
        wanted = completion_of(body)
        self.talks.persona(wanted.model)
        takes = self._takes(wanted, call.scope)
        telling = _Telling(wanted, self.decode, int(self.clock()))
        async with aclosing(takes) as events:
            if wanted.stream:
                await telling.stream(events, response)
            else:
                await telling.collect(events, response)

    def _takes(self, wanted: Completion, scope: Scope) -> AsyncGenerator[tuple[int, ReplyEvent]]:
        if is_task(wanted.messages):
            if not self.answers_tasks:
                raise InvalidRequestError(
                    "messages: what front-ends ask beside a talk is not answered here, since"
                    " [http] system_messages is ignore"
                )
            return _number(self.tasks.answer(wanted))
        key = header(scope, b"idempotency-key")
        call_id = check_id("idempotency-key", key) if key else ""
        return self.talks.takes(Asked(wanted, caller_of(scope, wanted.player), call_id))


async def _number(events: AsyncGenerator[ReplyEvent]) -> AsyncGenerator[tuple[int, ReplyEvent]]:
    async with aclosing(events) as told:
        async for event in told:
            yield 0, event


@dataclass
class _Response:
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
            await _refuse(self.send, refusal)

    async def _more(self, data: bytes, last: bool = False) -> None:
        if not self.begun:
            self.begun = True
            headers = [*_EVENTS, *answers.headers_of(self.call.trailing)]
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.send({"type": "http.response.body", "body": data, "more_body": not last})


@dataclass
class _Telling:
    """Writes takes as a completion."""

    wanted: Completion
    decode: Decode
    created: int
    head: Head | None = None  # known when the first take begins
    ended: list[Finished] = field(default_factory=list)

    async def collect(
        self, events: AsyncGenerator[tuple[int, ReplyEvent]], response: _Response
    ) -> None:
        """Send all takes at once."""
        async for _, event in events:
            self._note(event)
        choices = [answers.choice(i, one, self._logprobs(one)) for i, one in enumerate(self.ended)]
        await response.whole(answers.completion(self._head(), choices, self.ended))

    async def stream(
        self, events: AsyncGenerator[tuple[int, ReplyEvent]], response: _Response
    ) -> None:
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


async def _refuse(send: Send, refusal: Refusal) -> None:
    await respond(send, refusal.status, [_JSON, *refusal.headers], answers.encode(refusal.body))
