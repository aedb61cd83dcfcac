"""Scenes as a client sees them: requests made, and streams read to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import grpc.aio

from npc.v1 import dialogue_pb2, scenes_pb2
from npc_client.records import (
    Bark,
    LivedLine,
    RestoredScene,
    Scene,
    SceneLine,
    SceneMember,
    SceneTalk,
)
from npc_client.reply_stream import RETRY_PAUSES_S, action_of, emotion_of, silent_because

OnWords = Callable[[str, str], None]  # gets the speaker's character id, and more of its text
OnLine = Callable[[SceneLine], None]  # gets a line that has ended


def players_of(names: Mapping[str, str], consent: bool) -> list[scenes_pb2.ScenePlayer]:
    """Players by their ids, with what characters call them; "" = as strangers are called."""
    return [
        scenes_pb2.ScenePlayer(player_id=player_id, name=name, training_consent=consent)
        for player_id, name in names.items()
    ]


def scene_of(answer: scenes_pb2.StartSceneResponse) -> Scene:
    """The scene that was opened."""
    members = tuple(member_of(member) for member in answer.members)
    return Scene(answer.scene_id, members, answer.training_consent)


def member_of(member: scenes_pb2.SceneMember) -> SceneMember:
    """A character of a scene."""
    return SceneMember(
        member.character, member.character_name, member.persona_version, member.adapter_version
    )


def barks_of(answer: scenes_pb2.BarksResponse) -> list[Bark]:
    """Lines to nobody."""
    return [Bark(bark.character, bark.text, bark.adapter_version) for bark in answer.barks]


def restored_of(answer: scenes_pb2.RestoreSceneResponse) -> RestoredScene:
    """The scene that goes on."""
    members = tuple(member_of(member) for member in answer.members)
    lines = tuple(
        LivedLine(
            line.speaker, line.name, line.text, line.turn_id, line.interrupted, tuple(line.heard_by)
        )
        for line in answer.lines
    )
    scene = Scene(answer.scene_id, members, answer.training_consent)
    return RestoredScene(scene, tuple(answer.player_names), lines)


async def read_talk(
    begin: Callable[[], Any], on_text: OnWords | None, on_line: OnLine | None
) -> SceneTalk:
    """Read a stream to its end; `on_text` sees each piece as it comes, `on_line` each whole line.

    Leaving it early interrupts what is being said. `begin` makes the call, once more if the link
    broke before anything was heard.
    """
    pauses_s = iter(RETRY_PAUSES_S)
    while True:
        talk = _Talk(on_text, on_line)
        try:
            return await _read_once(begin(), talk)
        except grpc.aio.AioRpcError as error:
            pause_s = next(pauses_s, None)
            lost = error.code() is grpc.StatusCode.UNAVAILABLE and not talk.heard
            if pause_s is None or not lost:
                raise
            await asyncio.sleep(pause_s)


async def _read_once(call: Any, talk: _Talk) -> SceneTalk:
    try:
        while isinstance(event := await call.read(), scenes_pb2.SceneEvent):
            talk.hear(event)
    finally:
        call.cancel()  # of no effect behind the end
    return SceneTalk(tuple(talk.ended), talk.rest, talk.silence)


@dataclass
class _Talk:
    on_text: OnWords | None
    on_line: OnLine | None
    open: dict[str, SceneLine] = field(default_factory=dict)  # by speaker
    ended: list[SceneLine] = field(default_factory=list)
    rest: str = ""
    silence: str = ""
    heard: bool = False  # whether anything was passed on, which cannot be taken back

    def hear(self, event: scenes_pb2.SceneEvent) -> None:
        """Take in one message."""
        match event.WhichOneof("event"):
            case "chosen":
                why = tuple(map(_reason, event.chosen.why))
                line = SceneLine(event.speaker, "", "", event.chosen.session_id, why)
                self.open[event.speaker] = line
            case "interrupted":
                broken = event.interrupted
                self._end(event.speaker, broken.turn_id, broken.text, interrupted=True)
            case "reply":
                self._hear_reply(event.speaker, event.reply)
            case "rest":
                name = scenes_pb2.RestBecause.Name(event.rest.because)
                self.rest = name.removeprefix("REST_BECAUSE_").lower()
            case "silence":
                self.silence = silent_because(event.silence)

    def _hear_reply(self, speaker: str, reply: dialogue_pb2.ReplyEvent) -> None:
        if reply.HasField("started"):
            version = reply.started.adapter_version
            self.open[speaker] = replace(self.open[speaker], adapter_version=version)
        if reply.HasField("delta") and self.on_text is not None:
            self.heard = True
            self.on_text(speaker, reply.delta.text)
        if reply.HasField("emotion"):
            shown = emotion_of(reply.emotion)
            self.open[speaker] = replace(self.open[speaker], emotion=shown)
        if reply.HasField("action"):
            done = action_of(reply.action)
            self.open[speaker] = replace(self.open[speaker], action=done)
        if reply.HasField("finished"):
            self._end(speaker, reply.finished.turn_id, reply.finished.text)

    def _end(self, speaker: str, turn_id: str, text: str, interrupted: bool = False) -> None:
        line = replace(self.open.pop(speaker), turn_id=turn_id, text=text, interrupted=interrupted)
        self.ended.append(line)
        if self.on_line is not None:
            self.heard = True
            self.on_line(line)


def _reason(why: scenes_pb2.WhyChosen) -> str:
    name = scenes_pb2.ChosenBecause.Name(why.because)
    because = name.removeprefix("CHOSEN_BECAUSE_").lower()
    return f"{because} {why.detail}" if why.detail else because
