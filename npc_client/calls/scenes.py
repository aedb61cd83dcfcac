"""Calls of `npc.v1.Scenes`: several characters and players in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import grpc.aio

from npc.v1 import scenes_pb2, scenes_pb2_grpc
from npc_client.calls.dialogue import SamplingOverrides
from npc_client.context import WorldValues, world_messages
from npc_client.records import Bark, RestoredScene, Scene, SceneMember, SceneTalk
from npc_client.reply_stream import new_line_id
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


class SceneCalls:
    """Plays scenes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scenes: Any = scenes_pb2_grpc.ScenesStub(channel)

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

    async def trigger_in_scene(
        self,
        scene_id: str,
        event: str = "",
        text: str = "",
        verbatim: str = "",
        character: str = "",
        audience: Sequence[str] = (),
        seed: int | None = None,
        on_text: OnWords | None = None,
        on_line: OnLine | None = None,
        sampling: SamplingOverrides | None = None,
        trigger_id: str | None = None,
        world: WorldValues | None = None,
    ) -> SceneTalk:
        """Let something happen that a character speaks of, the one named or whoever is to.

        `event` is named by their triggers, `text` tells what happened, `verbatim` is what the named
        one says word for word. `trigger_id` names a call that was made before and may have been
        lost. Where nobody speaks, `silence` says why.
        """
        request = scenes_pb2.TriggerInSceneRequest(
            scene_id=scene_id,
            event=event,
            text=text,
            verbatim=verbatim,
            character=character,
            audience=audience,
            seed=seed,
            sampling=sampling,
            trigger_id=trigger_id or new_line_id(),
            world=world_messages(world),
        )
        return await read_talk(partial(self._scenes.Trigger, request), on_text, on_line)

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
