"""Calls of `npc.v1.Dialogue`: sessions, lines and the replies to them, save games."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import grpc.aio

from npc.v1 import dialogue_pb2, dialogue_pb2_grpc
from npc_client.context import ContextMode, WorldValues, notes_of, world_messages
from npc_client.records import Conversation, LivedExchange, Notes, Reply, Restored, Silence
from npc_client.reply_stream import OnText, ReplyStream, new_line_id, read_whole

SamplingOverrides = dialogue_pb2.SamplingOverrides  # how to draw one reply differently


class DialogueCalls:
    """Speaks with characters."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._dialogue: Any = dialogue_pb2_grpc.DialogueStub(channel)

    async def start_session(
        self,
        character: str,
        player_id: str,
        training_consent: bool = False,
        remember: bool = False,
        present: Sequence[str] = (),
        seed: int | None = None,
        world: WorldValues | None = None,
    ) -> Conversation:
        """Open a session; with consent, what is said in it may be trained on.

        With `remember` the character knows what the player told it in such sessions before, and
        will know later what they tell in this one. `present` are characters that stand by and hear.
        `seed` draws one of the character's greetings; None = any.
        `world` is how things stand, by name of a variable of the character's world.
        """
        span = dialogue_pb2.MEMORY_SPAN_PLAYER if remember else dialogue_pb2.MEMORY_SPAN_SESSION
        request = dialogue_pb2.StartSessionRequest(
            character=character,
            player_id=player_id,
            training_consent=training_consent,
            memory=span,
            present=present,
            seed=seed,
            world=world_messages(world),
        )
        answer = await self._dialogue.StartSession(request)
        return Conversation(
            answer.session_id,
            character,
            answer.character_name,
            answer.adapter_version,
            answer.greeting,
        )

    async def update_context(
        self,
        session_id: str,
        notes: Sequence[str] = (),
        world: WorldValues | None = None,
        mode: ContextMode = "append",
    ) -> Notes:
        """Tell how things stand in the game; returns what the next prompt would carry of it."""
        request = dialogue_pb2.UpdateContextRequest(
            session_id=session_id,
            mode=f"CONTEXT_MODE_{mode.upper()}",
            notes=[dialogue_pb2.ContextNote(text=text) for text in notes],
            world=world_messages(world),
        )
        answer = await self._dialogue.UpdateContext(request)
        return notes_of(answer.notes)

    async def say(
        self,
        session_id: str,
        text: str,
        seed: int | None = None,
        on_text: OnText | None = None,
        sampling: SamplingOverrides | None = None,
        line_id: str | None = None,
        audience: Sequence[str] = (),
        world: WorldValues | None = None,
    ) -> Reply:
        """Say something and wait for the whole reply; `on_text` sees it grow.

        `line_id` names a line that was sent before and may have been lost. `audience` are the
        characters that hear it, in place of those who are present. `world` is how things stand
        from now on.
        """
        begin, line_id = self._line(session_id, text, seed, sampling, line_id, audience, world)
        return await read_whole(ReplyStream(begin, line_id, on_text is not None), on_text)

    async def regenerate(
        self,
        session_id: str,
        turn_id: str,
        seed: int | None = None,
        on_text: OnText | None = None,
        sampling: SamplingOverrides | None = None,
        take_id: str | None = None,
    ) -> Reply:
        """Ask for another take on the latest turn; `take_id` names one that may have been lost."""
        begin, take_id = self._take(session_id, turn_id, seed, sampling, take_id)
        return await read_whole(ReplyStream(begin, take_id, on_text is not None), on_text)

    async def trigger(
        self,
        session_id: str,
        event: str = "",
        text: str = "",
        verbatim: str = "",
        seed: int | None = None,
        on_text: OnText | None = None,
        sampling: SamplingOverrides | None = None,
        trigger_id: str | None = None,
        world: WorldValues | None = None,
    ) -> Reply | Silence:
        """Let something happen that the character speaks of; `on_text` sees the reply grow.

        `event` is named by its triggers, `text` tells it what happened, `verbatim` is what it says
        word for word. `trigger_id` names a call that was made before and may have been lost.
        """
        trigger_id = trigger_id or new_line_id()
        request = dialogue_pb2.TriggerRequest(
            session_id=session_id,
            event=event,
            text=text,
            verbatim=verbatim,
            seed=seed,
            sampling=sampling,
            trigger_id=trigger_id,
            world=world_messages(world),
        )
        begin = partial(self._dialogue.Trigger, request)
        stream = ReplyStream(begin, trigger_id, on_text is not None)
        async for piece in stream:
            if on_text is not None:
                on_text(piece)
        return stream.outcome

    def stream_reply(
        self,
        session_id: str,
        text: str,
        seed: int | None = None,
        sampling: SamplingOverrides | None = None,
        line_id: str | None = None,
        audience: Sequence[str] = (),
        world: WorldValues | None = None,
    ) -> ReplyStream:
        """Say something and iterate over the reply's text while it is generated.

        `line_id` names a line that was sent before and may have been lost. `audience` are the
        characters that hear it, in place of those who are present. `world` is how things stand
        from now on.
        """
        line = self._line(session_id, text, seed, sampling, line_id, audience, world)
        return ReplyStream(*line)

    def stream_take(
        self,
        session_id: str,
        turn_id: str,
        seed: int | None = None,
        sampling: SamplingOverrides | None = None,
        take_id: str | None = None,
    ) -> ReplyStream:
        """Ask for another take on the latest turn and iterate over its text.

        `take_id` names one that may have been lost.
        """
        return ReplyStream(*self._take(session_id, turn_id, seed, sampling, take_id))

    def _line(
        self,
        session_id: str,
        text: str,
        seed: int | None,
        sampling: SamplingOverrides | None,
        line_id: str | None,
        audience: Sequence[str],
        world: WorldValues | None,
    ) -> tuple[Callable[[], Any], str]:
        """What says a line, any number of times, and the line's id."""
        line_id = line_id or new_line_id()
        request = dialogue_pb2.SayRequest(
            session_id=session_id,
            text=text,
            seed=seed,
            sampling=sampling,
            line_id=line_id,
            audience=audience,
            world=world_messages(world),
        )
        return partial(self._dialogue.Say, request), line_id

    def _take(
        self,
        session_id: str,
        turn_id: str,
        seed: int | None,
        sampling: SamplingOverrides | None,
        take_id: str | None,
    ) -> tuple[Callable[[], Any], str]:
        """What asks for a take, any number of times, and the take's id."""
        take_id = take_id or new_line_id()
        request = dialogue_pb2.RegenerateRequest(
            session_id=session_id, turn_id=turn_id, seed=seed, sampling=sampling, take_id=take_id
        )
        return partial(self._dialogue.Regenerate, request), take_id

    async def report_action(self, turn_id: str, name: str, ok: bool, text: str = "") -> None:
        """Tell what came of a turn's action; the character hears of it with the next line.

        `text` says what happened; "" = that it worked, or failed.
        """
        request = dialogue_pb2.ReportActionRequest(turn_id=turn_id, name=name, ok=ok, text=text)
        await self._dialogue.ReportAction(request)

    async def checkpoint(self, session_id: str) -> str:
        """The token that leads back to this point, for the save file."""
        request = dialogue_pb2.CheckpointRequest(session_id=session_id)
        answer: dialogue_pb2.CheckpointResponse = await self._dialogue.Checkpoint(request)
        return answer.token

    async def restore(self, token: str) -> Restored:
        """Go back to a checkpoint."""
        answer = await self._dialogue.Restore(dialogue_pb2.RestoreRequest(token=token))
        conversation = Conversation(
            answer.session_id,
            answer.character,
            answer.character_name,
            answer.adapter_version,
            answer.greeting,
        )
        lived = (
            LivedExchange(e.player_text, e.reply_text, e.turn_id, e.interrupted, e.happened)
            for e in answer.exchanges
        )
        return Restored(conversation, tuple(lived))

    async def end_session(self, session_id: str) -> None:
        """Close a session."""
        await self._dialogue.EndSession(dialogue_pb2.EndSessionRequest(session_id=session_id))
