"""A reply while it is generated, and what it takes to ask for it again.

Lines and takes get an id, so that one whose answer was lost is asked for again, and is neither said
nor recorded twice.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from npc.v1 import dialogue_pb2
from npc_client.context import notes_of
from npc_client.records import Action, Emotion, GuardHit, Reply, Silence

OnText = Callable[[str], None]
RETRY_PAUSES_S = (0.1, 0.4)  # before a line is sent again that found no server


def new_line_id() -> str:
    """An id for one line or take; under the same one it is the same when it is sent again."""
    return uuid.uuid4().hex


class ReplyStream:
    """A reply while it is generated: iterate over its text, then read `reply`.

    Dropping the stream before its end, or `cancel`, interrupts the reply on the server. A link that
    breaks before the first text came is tried again; one that breaks later raises, because what was
    heard cannot be taken back: the line may be sent again under `call_id`.
    """

    def __init__(self, begin: Callable[[], Any], call_id: str, heard: bool = True) -> None:
        self.call_id = call_id  # the line's or take's id
        self._begin = begin
        self._heard = heard  # whether text is passed on before the end
        self._call = begin()
        self._cancelled = False
        self._pauses_s = iter(RETRY_PAUSES_S)
        self._begun = time.perf_counter()
        self._first_text: float | None = None
        self._reply: Reply | None = None
        self._silence: Silence | None = None
        self.emotion: Emotion | None = None  # from when it is told, before or behind the words
        self.action: Action | None = None  # from when it is told, behind the words

    @property
    def outcome(self) -> Reply | Silence:
        """The whole reply, or why there is none. Raises RuntimeError as `reply`."""
        return self._silence or self.reply

    @property
    def reply(self) -> Reply:
        """The whole reply. Raises RuntimeError until the iteration has ended."""
        if self._reply is None:
            raise RuntimeError("the reply is not finished: iterate over the stream to its end")
        return self._reply

    def cancel(self) -> None:
        """Interrupt the reply on the server, if it is still running."""
        self._cancelled = True
        if self._reply is None:
            self._call.cancel()

    def __del__(self) -> None:
        self.cancel()  # the call itself lives on until the garbage collector finds it

    def __aiter__(self) -> ReplyStream:
        return self

    async def __anext__(self) -> str:
        while self._reply is None:
            event = await self._read()
            if not isinstance(event, dialogue_pb2.ReplyEvent):  # the end of the stream
                raise ConnectionError("the reply stream ended without its Finished message")
            if event.HasField("delta"):
                self._first_text = self._first_text or time.perf_counter()
                return str(event.delta.text)
            if event.HasField("silence"):
                self._silence = Silence(silent_because(event.silence))
                break
            if event.HasField("emotion"):
                self.emotion = emotion_of(event.emotion)
            if event.HasField("action"):
                self.action = action_of(event.action)
            if event.HasField("finished"):
                first_text = self._first_text or time.perf_counter()
                self._reply = _reply(event.finished, self._begun, first_text)
        raise StopAsyncIteration

    async def _read(self) -> object:
        """The next message; of a new call, if the link broke and nothing was heard yet."""
        while True:
            try:
                return await self._call.read()
            except grpc.aio.AioRpcError as error:
                pause_s = next(self._pauses_s, None)
                if pause_s is None or not self._may_retry(error):
                    raise
                await asyncio.sleep(pause_s)
                if self._cancelled:
                    raise
                self._call = self._begin()

    def _may_retry(self, error: grpc.aio.AioRpcError) -> bool:
        told = self._heard and self._first_text is not None
        return error.code() is grpc.StatusCode.UNAVAILABLE and not told and not self._cancelled


async def read_whole(stream: ReplyStream, on_text: OnText | None) -> Reply:
    """Read a reply to its end and return it; `on_text` sees each piece as it comes."""
    async for text in stream:
        if on_text is not None:
            on_text(text)
    return stream.reply


def _reply(finished: dialogue_pb2.Finished, begun: float, first_text: float) -> Reply:
    return Reply(
        turn_id=finished.turn_id,
        text=finished.text,
        adapter_version=finished.adapter_version,
        live_adapter_version=finished.live_adapter_version,
        ttft_ms=(first_text - begun) * 1e3,
        total_ms=(time.perf_counter() - begun) * 1e3,
        tokens=finished.usage.reply_tokens,
        token_logprobs=tuple(finished.token_logprobs),
        candidates=finished.candidates,
        finish_reason=_finish_reason(finished),
        thought_tokens=finished.usage.thought_tokens,
        guard_hits=tuple(_guard_hit(hit) for hit in finished.guard_hits),
        notes=notes_of(finished.notes),
        emotion=emotion_of(finished.emotion) if finished.HasField("emotion") else None,
        action=action_of(finished.actions[0]) if finished.actions else None,
        prompt_tokens=finished.usage.prompt_tokens,
        cached_tokens=finished.usage.cached_tokens,
        aside_tokens=finished.usage.aside_tokens,
    )


def silent_because(silence: dialogue_pb2.Silence) -> str:
    """Why nothing is said."""
    name = dialogue_pb2.SilentBecause.Name(silence.because)
    return name.removeprefix("SILENT_BECAUSE_").lower()


def _guard_hit(hit: dialogue_pb2.GuardHit) -> GuardHit:
    name = dialogue_pb2.GuardAction.Name(hit.action)
    return GuardHit(hit.rule, name.removeprefix("GUARD_ACTION_").lower())


def emotion_of(emotion: dialogue_pb2.Emotion) -> Emotion:
    """What a reply shows of a character's feelings."""
    return Emotion(emotion.label, emotion.probability)


def action_of(action: dialogue_pb2.Action) -> Action:
    """What a reply does besides its words."""
    return Action(action.name, {name: _value(given) for name, given in action.arguments.items()})


def _value(argument: dialogue_pb2.ActionArgument) -> bool | int | float | str:
    value: bool | int | float | str = getattr(argument, argument.WhichOneof("value") or "text")
    return value


def _finish_reason(finished: dialogue_pb2.Finished) -> str:
    name = dialogue_pb2.FinishReason.Name(finished.finish_reason)
    return name.removeprefix("FINISH_REASON_").lower()
