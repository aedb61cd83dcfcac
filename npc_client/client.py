"""The gRPC client: sessions, streamed replies, save games, feedback and adapter versions in Python
terms.

One `Client` holds one channel and serves any number of sessions at once. It is the package's face:
what its methods take and return can be imported from here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from npc.v1 import (
    adapters_pb2,
    adapters_pb2_grpc,
    dialogue_pb2,
    dialogue_pb2_grpc,
    feedback_pb2,
    feedback_pb2_grpc,
    memory_pb2,
    memory_pb2_grpc,
    personas_pb2,
    personas_pb2_grpc,
    scenes_pb2,
    scenes_pb2_grpc,
)
from npc_client.context import ContextMode, WorldValues, Written, notes_of, world_messages
from npc_client.courier import Courier
from npc_client.events import REASONS, EventStatus, SubmitRequest, new_event, new_event_id
from npc_client.records import (
    Action,
    Bark,
    Conversation,
    Emotion,
    LivedExchange,
    LivedLine,
    Notes,
    Remembered,
    RememberedFact,
    RememberedTalk,
    Reply,
    Restored,
    RestoredScene,
    Scene,
    SceneLine,
    SceneMember,
    SceneTalk,
    Silence,
    ToldNote,
)
from npc_client.reply_stream import OnText, ReplyStream, new_line_id, read_whole
from npc_client.scenes import (
    OnLine,
    OnWords,
    barks_of,
    member_of,
    players_of,
    read_talk,
    restored_of,
    scene_of,
)

__all__ = [
    "REASONS",
    "Action",
    "Bark",
    "Client",
    "ContextMode",
    "Conversation",
    "Emotion",
    "EventStatus",
    "LivedExchange",
    "LivedLine",
    "Notes",
    "OnLine",
    "OnText",
    "OnWords",
    "PersonaStatus",
    "Remembered",
    "RememberedFact",
    "RememberedTalk",
    "Reply",
    "ReplyStream",
    "Restored",
    "RestoredScene",
    "SamplingOverrides",
    "Scene",
    "SceneLine",
    "SceneMember",
    "SceneTalk",
    "ServerNotReadyError",
    "Silence",
    "SubmitRequest",
    "ToldNote",
    "WorldValues",
    "Written",
    "new_event",
    "new_event_id",
    "new_line_id",
]

EVENTS_PER_MESSAGE = 256  # the most the contract takes
PersonaStatus = personas_pb2.PersonaStatusResponse  # whether what was saved last is served
SamplingOverrides = dialogue_pb2.SamplingOverrides  # how to draw one reply differently
_DIALOGUE = dialogue_pb2.DESCRIPTOR.services_by_name["Dialogue"].full_name


class ServerNotReadyError(Exception):
    """The server did not report SERVING in time."""


class Client:
    """Talks to one server. Use as an async context manager."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address)
        self._dialogue: Any = dialogue_pb2_grpc.DialogueStub(self._channel)
        self._feedback: Any = feedback_pb2_grpc.FeedbackStub(self._channel)
        self._courier: Courier[SubmitRequest, feedback_pb2.SubmitResponse]
        self._courier = Courier(self._feedback.Submit)
        self._memory: Any = memory_pb2_grpc.MemoryStub(self._channel)
        self._adapters: Any = adapters_pb2_grpc.AdaptersStub(self._channel)
        self._scenes: Any = scenes_pb2_grpc.ScenesStub(self._channel)
        self._personas: Any = personas_pb2_grpc.PersonasStub(self._channel)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls that are running are cancelled."""
        await self._channel.close(grace=None)

    async def wait_until_serving(self, timeout_s: float) -> None:
        """Return once the standard health check answers SERVING. Raises ServerNotReadyError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if await self._is_serving():
                return
            await asyncio.sleep(0.1)
        raise ServerNotReadyError(f"{self.address} is not SERVING after {timeout_s:.0f} s")

    async def _is_serving(self) -> bool:
        try:
            answer = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def has_characters(self, timeout_s: float) -> bool:
        """Whether a server of characters answers here, ready or not, and no other program."""
        request = health_pb2.HealthCheckRequest(service=_DIALOGUE)
        try:
            await self._health.Check(request, timeout=timeout_s)
        except grpc.aio.AioRpcError:
            return False
        return True

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

    async def memory(self, session_id: str) -> Remembered:
        """What the character remembers of the session's player."""
        answer = await self._memory.List(memory_pb2.ListMemoryRequest(session_id=session_id))
        facts = (
            RememberedFact(
                one.id,
                one.text,
                one.topic,
                tuple(one.turn_ids),
                one.overheard,
                tuple(one.replaced),
            )
            for one in answer.facts
        )
        talks = (RememberedTalk(one.id, one.text, tuple(one.turn_ids)) for one in answer.summaries)
        return Remembered(answer.player_name, tuple(facts), tuple(talks))

    async def forget(self, session_id: str, ids: Sequence[str] = ()) -> int:
        """Have the character forget facts and summaries by their ids, or all; returns how many."""
        request = memory_pb2.ForgetMemoryRequest(session_id=session_id, ids=ids)
        answer: memory_pb2.ForgetMemoryResponse = await self._memory.Forget(request)
        return answer.forgotten

    async def end_session(self, session_id: str) -> None:
        """Close a session."""
        await self._dialogue.EndSession(dialogue_pb2.EndSessionRequest(session_id=session_id))

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

    async def start_scene(
        self,
        characters: Sequence[str],
        players: Mapping[str, str],
        place: str = "",
        training_consent: bool = False,
        world: WorldValues | None = None,
    ) -> Scene:
        """Open a scene; `players` are what characters call them, by player id.

        With consent, which is that of all of them, what is said may be trained on.
        """
        request = scenes_pb2.StartSceneRequest(
            characters=characters,
            players=players_of(players, training_consent),
            place=place,
            world=world_messages(world),
        )
        return scene_of(await self._scenes.StartScene(request))

    async def say_in_scene(
        self,
        scene_id: str,
        text: str,
        player_id: str = "",
        to: Sequence[str] = (),
        audience: Sequence[str] = (),
        max_replies: int | None = None,
        seed: int | None = None,
        on_text: OnWords | None = None,
        on_line: OnLine | None = None,
        sampling: SamplingOverrides | None = None,
        world: WorldValues | None = None,
        line_id: str | None = None,
    ) -> SceneTalk:
        """Say something in a scene and wait for all answers.

        `on_text` sees them grow, `on_line` sees each when it has ended. It interrupts what is
        being said there. Cancelling it interrupts the answers. `line_id` names a line that was
        sent before and may have been lost.
        """
        request = scenes_pb2.SayInSceneRequest(
            scene_id=scene_id,
            player_id=player_id,
            text=text,
            to=to,
            audience=audience,
            max_replies=max_replies,
            seed=seed,
            sampling=sampling,
            world=world_messages(world),
            line_id=line_id or new_line_id(),
        )
        return await read_talk(partial(self._scenes.Say, request), on_text, on_line)

    async def continue_scene(
        self,
        scene_id: str,
        lines: int = 1,
        event: str = "",
        seed: int | None = None,
        on_text: OnWords | None = None,
        on_line: OnLine | None = None,
        sampling: SamplingOverrides | None = None,
        world: WorldValues | None = None,
        continue_id: str | None = None,
    ) -> SceneTalk:
        """Let characters talk among themselves; `event` is what has just happened.

        `continue_id` names a call that was made before and may have been lost.
        """
        request = scenes_pb2.ContinueRequest(
            scene_id=scene_id,
            lines=lines,
            event=event,
            seed=seed,
            sampling=sampling,
            world=world_messages(world),
            continue_id=continue_id or new_line_id(),
        )
        return await read_talk(partial(self._scenes.Continue, request), on_text, on_line)

    async def join_scene(self, scene_id: str, character: str) -> SceneMember:
        """Let a character come into a scene."""
        request = scenes_pb2.JoinRequest(scene_id=scene_id, character=character)
        answer: scenes_pb2.JoinResponse = await self._scenes.Join(request)
        return member_of(answer.member)

    async def join_scene_as_player(
        self, scene_id: str, player_id: str, name: str = "", training_consent: bool = False
    ) -> bool:
        """Come into a scene; returns whether what is said in it may still be trained on."""
        (player,) = players_of({player_id: name}, training_consent)
        request = scenes_pb2.JoinRequest(scene_id=scene_id, player=player)
        answer: scenes_pb2.JoinResponse = await self._scenes.Join(request)
        return answer.training_consent

    async def leave_scene(self, scene_id: str, character: str = "", player_id: str = "") -> None:
        """Let a character, or a player, leave a scene."""
        request = scenes_pb2.LeaveRequest(scene_id=scene_id)
        if character:
            request.character = character
        if player_id:
            request.player_id = player_id
        await self._scenes.Leave(request)

    async def checkpoint_scene(self, scene_id: str) -> str:
        """The token that leads back to this point of a scene, for the save file."""
        request = scenes_pb2.CheckpointSceneRequest(scene_id=scene_id)
        answer: scenes_pb2.CheckpointSceneResponse = await self._scenes.Checkpoint(request)
        return answer.token

    async def restore_scene(self, token: str) -> RestoredScene:
        """Go back to a checkpoint of a scene."""
        request = scenes_pb2.RestoreSceneRequest(token=token)
        return restored_of(await self._scenes.Restore(request))

    async def end_scene(self, scene_id: str) -> None:
        """Close a scene."""
        await self._scenes.EndScene(scenes_pb2.EndSceneRequest(scene_id=scene_id))

    async def barks(
        self, characters: Sequence[str], situation: str, lines: int = 1, seed: int | None = None
    ) -> list[Bark]:
        """Lines that characters might say to nobody, for the game to keep and play."""
        request = scenes_pb2.BarksRequest(
            characters=characters, situation=situation, lines=lines, seed=seed
        )
        return barks_of(await self._scenes.Barks(request))

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

    async def thumb(self, turn_id: str, up: bool, reasons: Sequence[str] = ()) -> str:
        """Like or dislike a reply; `reasons` are among REASONS. Returns the event's id."""
        names = [f"REASON_{name.upper()}" for name in reasons]
        return await self._react(turn_id, thumb=feedback_pb2.Thumb(up=up, reasons=names))

    async def choose(
        self, kept_turn_id: str, over_turn_ids: Sequence[str], kept_position: int = 0
    ) -> str:
        """Keep one take over others; `kept_position` among all shown counts from 1, 0 = unknown.

        Returns the event's id.
        """
        choice = feedback_pb2.Choice(over_turn_ids=over_turn_ids, kept_position=kept_position)
        return await self._react(kept_turn_id, choice=choice)

    async def edit(self, turn_id: str, text: str) -> str:
        """Send what the character should have said. Returns the event's id."""
        return await self._react(turn_id, edit=feedback_pb2.Edit(text=text))

    async def rate(self, turn_id: str, stars: int) -> str:
        """Give 1 to 5 stars. Returns the event's id."""
        return await self._react(turn_id, rating=feedback_pb2.Rating(stars=stars))

    async def outcome(
        self, name: str, success: bool, turn_id: str = "", session_id: str = ""
    ) -> str:
        """Credit a turn, or a whole session, with how a quest ended. Returns the event's id."""
        outcome = feedback_pb2.Outcome(name=name, success=success)
        return await self._react(turn_id, session_id=session_id, outcome=outcome)

    async def signal(self, turn_id: str, sign: str) -> str:
        """Report what the player did without judging, such as "skipped". Returns the event's id."""
        signal = feedback_pb2.Signal(sign=f"SIGN_{sign.upper()}")
        return await self._react(turn_id, signal=signal)

    async def _react(self, turn_id: str, **reaction: Any) -> str:
        event = new_event(turn_id, **reaction)
        await self.submit(event)
        return str(event.event_id)

    async def submit(self, event: SubmitRequest) -> feedback_pb2.SubmitResponse:
        """Send one event, again if the server asks to wait; raises its refusal after a minute."""
        return await self._courier.send(event)

    async def submit_batch(self, events: Sequence[SubmitRequest]) -> list[EventStatus]:
        """Send up to 10,000 events in the order they happened; returns one status per event."""
        messages = (
            feedback_pb2.SubmitBatchRequest(events=events[i : i + EVENTS_PER_MESSAGE])
            for i in range(0, len(events), EVENTS_PER_MESSAGE)
        )
        answer = await self._feedback.SubmitBatch(messages)
        return list(answer.statuses)

    async def undo(self, event_id: str) -> str:
        """Take an event back. Returns the turn it was about."""
        request = feedback_pb2.UndoRequest(event_id=event_id)
        answer: feedback_pb2.UndoResponse = await self._feedback.Undo(request)
        return answer.turn_id

    async def personas(self) -> list[personas_pb2.PersonaSummary]:
        """Who is served now, by id."""
        answer = await self._personas.List(personas_pb2.ListPersonasRequest())
        return list(answer.personas)

    async def persona(self, character: str) -> personas_pb2.GetPersonaResponse:
        """One character: what it is told, what that costs, and its files."""
        request = personas_pb2.GetPersonaRequest(character=character)
        answer: personas_pb2.GetPersonaResponse = await self._personas.Get(request)
        return answer

    async def validate_persona(
        self, character: str, files: Mapping[str, str]
    ) -> personas_pb2.ValidatePersonaResponse:
        """What would be wrong with these texts, by file name, if they were saved."""
        request = personas_pb2.ValidatePersonaRequest(character=character, files=files)
        answer: personas_pb2.ValidatePersonaResponse = await self._personas.Validate(request)
        return answer

    async def persona_status(self, character: str = "") -> personas_pb2.PersonaStatusResponse:
        """Whether what was saved last is served, of one character or of all."""
        request = personas_pb2.PersonaStatusRequest(character=character)
        answer: personas_pb2.PersonaStatusResponse = await self._personas.Status(request)
        return answer

    async def adapters(self, character: str = "") -> list[adapters_pb2.CharacterAdapters]:
        """Adapter versions of one character, or of all."""
        answer = await self._adapters.List(adapters_pb2.ListAdaptersRequest(character=character))
        return list(answer.characters)

    async def promote(self, character: str, version: str) -> adapters_pb2.PromoteResponse:
        """Make a version live."""
        request = adapters_pb2.PromoteRequest(character=character, version=version)
        answer: adapters_pb2.PromoteResponse = await self._adapters.Promote(request)
        return answer

    async def rollback(self, character: str) -> adapters_pb2.RollbackResponse:
        """Make the version live again that was live before."""
        request = adapters_pb2.RollbackRequest(character=character)
        answer: adapters_pb2.RollbackResponse = await self._adapters.Rollback(request)
        return answer

    async def stats(self) -> adapters_pb2.StatsResponse:
        """The engine's state and its counters."""
        answer: adapters_pb2.StatsResponse = await self._adapters.Stats(adapters_pb2.StatsRequest())
        return answer
