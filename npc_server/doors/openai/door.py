"""The ASGI application: `/v1/chat/completions`, `/v1/models`, `/v1/feedback`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectrpc.errors import ConnectError

from feedback_store.records import Receipt
from npc_server.allowances import Allowances
from npc_server.calls import Reception, RefusedError, answering
from npc_server.doors.asgi import Receive, Scope, Send, header
from npc_server.doors.openai import answers
from npc_server.doors.openai.answers import Decode
from npc_server.doors.openai.callers import Client, client_of, visible_cast
from npc_server.doors.openai.fields import Completion, completion_of
from npc_server.doors.openai.metering import Meter
from npc_server.doors.openai.reactions import reaction_of
from npc_server.doors.openai.requests import BodyTooLargeError, HttpCall, body_of, until_gone
from npc_server.doors.openai.talks import Asked, Talks
from npc_server.doors.openai.task_answers import TaskAnswers
from npc_server.doors.openai.tasks import is_task
from npc_server.doors.openai.telling import Response, Takes, Telling, refuse
from npc_server.errors import InvalidRequestError
from npc_server.keys.callers import Role, caller
from npc_server.limits import check_id
from npc_server.ownership import Ownership
from npc_server.reactions import Reactions
from npc_server.reply_events import ReplyEvent
from personas.persona import Persona

PREFIX = "/v1/"
_COMPLETIONS, _MODELS, _FEEDBACK = "chat/completions", "models", "feedback"


@dataclass(frozen=True)
class OpenAiDoor:
    """The door, over what answers."""

    cast: Mapping[str, Persona]
    talks: Talks
    tasks: TaskAnswers
    reactions: Reactions
    decode: Decode
    answers_tasks: bool  # of front-ends
    reception: Reception
    ownership: Ownership
    allowances: Allowances
    clock: Callable[[], float] = field(default=time.time)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"].removeprefix(PREFIX).rstrip("/")
        verb = "GET" if path.partition("/")[0] == _MODELS else "POST"
        if path.partition("/")[0] != _MODELS and path not in (_COMPLETIONS, _FEEDBACK):
            await refuse(send, answers.refusal(404, f"there is no {scope['path'][:200]}"))
        elif scope["method"] != verb:
            await refuse(send, answers.refusal(405, f"{scope['path'][:200]} takes {verb}"))
        else:
            await self._answer(path, scope, receive, send)

    async def _answer(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await body_of(receive)
        except BodyTooLargeError as error:
            return await refuse(send, answers.refusal(413, str(error)))
        except ConnectError as error:
            return await refuse(send, answers.refusal(408, str(error)))
        named = _MODELS if path.startswith(_MODELS) else path  # not each model by itself
        call = HttpCall(scope, f"{PREFIX}{named}")
        return await until_gone(receive, self._respond(call, path, body, send))

    async def _respond(self, call: HttpCall, path: str, body: bytes, send: Send) -> None:
        response = Response(call, send)
        try:
            async with answering(call, self.reception):
                if path == _COMPLETIONS:
                    await self._complete(call, body, response)
                elif path == _FEEDBACK:
                    await self._take_feedback(body, response)
                else:
                    await self._tell_models(path, response)
        except RefusedError as refused:
            await response.refuse(answers.refusal_of(refused))

    async def _tell_models(self, path: str, response: Response) -> None:
        _, _, name = path.partition("/")
        if name:
            await response.whole(answers.model(self.talks.persona(name)))
        else:
            known = visible_cast(self.cast).values()
            personas = sorted(known, key=lambda persona: persona.id)
            await response.whole(answers.models(personas))

    async def _take_feedback(self, body: bytes, response: Response) -> None:
        who = caller.get()
        self.allowances.take_events(who, 1)
        reach = self.ownership.reach_of(who)
        result = await self.reactions.submit(reaction_of(body, datetime.now(UTC), reach))
        if not isinstance(result, Receipt):
            raise result
        told = {"event_id": result.event_id, "duplicate": result.duplicate}
        await response.whole({"object": "feedback", **told})

    async def _complete(self, call: HttpCall, body: bytes, response: Response) -> None:
        wanted = completion_of(body)
        self.talks.persona(wanted.model)
        takes = self._takes(wanted, call.scope)
        telling = Telling(wanted, self.decode, int(self.clock()))
        async with aclosing(takes) as events:
            if wanted.stream:
                await telling.stream(events, response)
            else:
                await telling.collect(events, response)

    def _takes(self, wanted: Completion, scope: Scope) -> Takes:
        client = client_of(scope, wanted.player)
        if is_task(wanted.messages):
            client.require_role(Role.GAME, "what front-ends ask beside a talk")
            if not self.answers_tasks:
                raise InvalidRequestError(
                    "messages: what front-ends ask beside a talk is not answered here, since"
                    " [http] system_messages is ignore"
                )
            return self._within_quota(client, _number(self.tasks.answer(wanted)))
        key = header(scope, b"idempotency-key")
        call_id = check_id("idempotency-key", key) if key else ""
        return self._within_quota(client, self.talks.takes(Asked(wanted, client, call_id)))

    async def _within_quota(self, client: Client, takes: Takes) -> Takes:
        """The takes, as one turn of the client's. Raises QuotaError."""
        with self.allowances.turn(client.caller, client) as spent:
            meter = Meter(spent)
            async with aclosing(takes) as events:
                async for number, event in events:
                    meter.note(number, event)
                    yield number, event


async def _number(events: AsyncGenerator[ReplyEvent]) -> Takes:
    async with aclosing(events) as told:
        async for event in told:
            yield 0, event
