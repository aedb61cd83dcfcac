"""Has the bare base answer what no character is asked."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from npc_server.doors.openai.fields import Completion, Message
from npc_server.engine.protocol import Delta, Request, Sampling
from npc_server.errors import InvalidRequestError
from npc_server.reply_events import Finished, ReplyEvent, Started
from npc_server.turns import Model
from personas import chat
from personas.chat_ids import chat_of
from personas.sizes import END_TOKENS

USUAL_TOKENS = 256  # of an answer, where the client names no number
_MOST_SHARE = 0.5  # of the context, for an answer
_LONGEST_TOKEN = 16  # characters, so that what can never fit is not counted


class TaskAnswers:
    """Answers calls that are no part of a talk."""

    def __init__(self, model: Model) -> None:
        self._model = model

    async def answer(self, asked: Completion) -> AsyncGenerator[ReplyEvent]:
        """The answer, as if it were a reply. Raises InvalidRequestError and the engine's errors."""
        request = self._request(asked)
        turn_id = request.request_id
        yield Started(turn_id, "", "", take=0, seed=request.sampling.seed)
        async with aclosing(self._model.engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Delta):
                    yield event
                else:
                    yield Finished(turn_id, "", "", event, len(event.token_ids), candidates=1)

    def _request(self, asked: Completion) -> Request:
        context = self._model.engine.info.context_tokens
        tokens = min(asked.most_tokens or USUAL_TOKENS, int(context * _MOST_SHARE))
        seed = secrets.randbits(32) if asked.seed is None else asked.seed
        sampling = replace(Sampling(seed=seed, max_tokens=tokens), **asked.changes)
        ids = self._fitting(_as_chat(asked.messages), context - tokens - END_TOKENS)
        return Request(f"task-{uuid.uuid4().hex}", ids, sampling=sampling, passing=True)

    def _fitting(self, messages: Sequence[chat.Message], most_tokens: int) -> tuple[int, ...]:
        """The ids of the messages: without the oldest lines of the talk, if that is too long."""
        asking = chat_of(self._model.tokenizer)
        system = [one for one in messages[:-1] if one.role == "system"]
        talk = [one for one in messages[:-1] if one.role != "system"]
        while True:
            left = [*system, *talk, messages[-1]]
            if sum(len(one.content) for one in left) <= most_tokens * _LONGEST_TOKEN:
                ids = asking.asking(left)
                if len(ids) <= most_tokens:
                    return ids
            if not talk:
                raise InvalidRequestError(
                    f"messages: they have more than the {most_tokens} tokens that there is room"
                    " for; [engine] context_tokens sets it"
                )
            del talk[: max(1, len(talk) // 4)]


def _as_chat(messages: Sequence[Message]) -> list[chat.Message]:
    """As the base reads them: whoever asks last is its user."""
    *before, last = messages
    return [*(chat.Message(m.role, m.text) for m in before), chat.Message("user", last.text)]
