"""The gRPC handlers of scenes: convert, call one domain function, convert back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc.aio

from feedback_store.store import Store
from npc.v1 import scenes_pb2, scenes_pb2_grpc
from npc_server.adapters import Adapters
from npc_server.conversations import Conversations
from npc_server.convert.dialogue import world_report
from npc_server.dialogue import Dialogue
from npc_server.keys.callers import caller
from npc_server.limits import check_id
from npc_server.scenes import convert
from npc_server.scenes.barks import Barks
from npc_server.scenes.delivery import Delivery
from npc_server.scenes.limits import SceneLimits
from npc_server.scenes.saves import SceneSaves
from npc_server.scenes.scene import Member
from npc_server.scenes.scenes import Scenes
from npc_server.scenes.talking import Talking
from npc_server.scenes.triggers import SceneTriggers
from npc_server.turns import Model
from personas.persona import Persona

if TYPE_CHECKING:  # generic in the stubs only
    Context = grpc.aio.ServicerContext[Any, Any]


class ScenesService(scenes_pb2_grpc.ScenesServicer):
    """npc.v1.Scenes."""

    def __init__(
        self,
        scenes: Scenes,
        talking: Talking,
        triggers: SceneTriggers,
        saves: SceneSaves,
        barks: Barks,
        adapters: Adapters,
    ) -> None:
        self._scenes = scenes
        self._saves = saves
        self._talking = talking
        self._triggers = triggers
        self._barks = barks
        self._adapters = adapters

    async def StartScene(  # noqa: N802 - the contract's name
        self, request: scenes_pb2.StartSceneRequest, context: Context
    ) -> scenes_pb2.StartSceneResponse:
        players = [convert.newcomer(player) for player in request.players]
        world = world_report(request.world)
        scene = await self._scenes.start(
            request.characters, players, request.place, world, caller.get().game
        )
        return scenes_pb2.StartSceneResponse(
            scene_id=scene.scene_id,
            members=[self._message(member) for member in scene.members.values()],
            training_consent=scene.consent,
        )

    async def Say(  # noqa: N802
        self, request: scenes_pb2.SayInSceneRequest, context: Context
    ) -> AsyncIterator[scenes_pb2.SceneEvent]:
        call = convert.call_of(request)
        line_id = request.line_id if request.HasField("line_id") else None
        said = self._talking.say(request.scene_id, convert.speech(request), call, line_id)
        async with aclosing(said) as events:
            async for event in events:
                yield convert.scene_event(event)

    async def Continue(  # noqa: N802
        self, request: scenes_pb2.ContinueRequest, context: Context
    ) -> AsyncIterator[scenes_pb2.SceneEvent]:
        lines = request.lines if request.HasField("lines") else 1
        call = convert.call_of(request)
        world = world_report(request.world)
        continue_id = request.continue_id if request.HasField("continue_id") else None
        said = self._talking.go_on(request.scene_id, lines, request.event, call, world, continue_id)
        async with aclosing(said) as events:
            async for event in events:
                yield convert.scene_event(event)

    async def Trigger(  # noqa: N802
        self, request: scenes_pb2.TriggerInSceneRequest, context: Context
    ) -> AsyncIterator[scenes_pb2.SceneEvent]:
        trigger_id = request.trigger_id if request.HasField("trigger_id") else None
        occurrence, call = convert.occurrence(request), convert.call_of(request)
        said = self._triggers.trigger(request.scene_id, occurrence, call, trigger_id)
        async with aclosing(said) as events:
            async for event in events:
                yield convert.scene_event(event)

    async def Join(  # noqa: N802
        self, request: scenes_pb2.JoinRequest, context: Context
    ) -> scenes_pb2.JoinResponse:
        if convert.who_of(request) == "character":
            member = self._scenes.join_as_character(request.scene_id, request.character)
            consent = self._scenes.get(request.scene_id).consent
            return scenes_pb2.JoinResponse(member=self._message(member), training_consent=consent)
        scene = self._scenes.join_as_player(request.scene_id, convert.newcomer(request.player))
        return scenes_pb2.JoinResponse(training_consent=scene.consent)

    async def Leave(  # noqa: N802
        self, request: scenes_pb2.LeaveRequest, context: Context
    ) -> scenes_pb2.LeaveResponse:
        if convert.who_of(request) == "character":
            await self._scenes.leave_as_character(request.scene_id, request.character)
        else:
            self._scenes.leave_as_player(request.scene_id, request.player_id)
        return scenes_pb2.LeaveResponse()

    async def Checkpoint(  # noqa: N802
        self, request: scenes_pb2.CheckpointSceneRequest, context: Context
    ) -> scenes_pb2.CheckpointSceneResponse:
        save = await self._saves.checkpoint(request.scene_id)
        lines = sum(bool(line.turn_id) for line in save.lines)
        return scenes_pb2.CheckpointSceneResponse(token=save.token, lines=lines)

    async def Restore(  # noqa: N802
        self, request: scenes_pb2.RestoreSceneRequest, context: Context
    ) -> scenes_pb2.RestoreSceneResponse:
        scene = await self._saves.restore(check_id("token", request.token))
        return scenes_pb2.RestoreSceneResponse(
            scene_id=scene.scene_id,
            members=[self._message(member) for member in scene.members.values()],
            player_names=scene.player_names,
            training_consent=scene.consent,
            lines=convert.lived_lines(scene.entries),
        )

    async def EndScene(  # noqa: N802
        self, request: scenes_pb2.EndSceneRequest, context: Context
    ) -> scenes_pb2.EndSceneResponse:
        scene = await self._scenes.end(request.scene_id)
        return scenes_pb2.EndSceneResponse(turns=scene.turns)

    async def Barks(  # noqa: N802
        self, request: scenes_pb2.BarksRequest, context: Context
    ) -> scenes_pb2.BarksResponse:
        lines = request.lines if request.HasField("lines") else 1
        seed = request.seed if request.HasField("seed") else None
        barks = await self._barks.bark(
            request.characters, request.situation, lines, seed, caller.get().game
        )
        return convert.barks_response(barks)

    def _message(self, member: Member) -> scenes_pb2.SceneMember:
        live = self._adapters.live(member.character).version
        return convert.member_message(member, live)


def scenes_service(
    scenes: Scenes,
    characters: Mapping[str, Persona],
    conversations: Conversations,
    dialogue: Dialogue,
    model: Model,
    adapters: Adapters,
    store: Store,
    limits: SceneLimits,
) -> ScenesService:
    """The service, over the parts that dialogues run on."""
    delivery, redaction = Delivery(dialogue, model), conversations.redaction
    talking = Talking(scenes, delivery, redaction)
    triggers = SceneTriggers(scenes, delivery, redaction)
    saves = SceneSaves(characters, scenes, store, conversations.recorder, limits)
    barks = Barks(characters, model, adapters)
    return ScenesService(scenes, talking, triggers, saves, barks, adapters)
