"""What characters of a scene feel and do, over real gRPC."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from npc.v1 import scenes_pb2, scenes_pb2_grpc
from npc_client.client import Action, SceneTalk
from npc_server.engine.protocol import Request
from tests.support.actors import taste, write_ada
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

PLAYERS = {"p1": "Anna", "p2": "Bela"}


def words(request: Request) -> str:
    if request.sampling.json_schema:
        return '{"loaf": "rye", "coins": 2}'
    return "Here you are, love."


@pytest.fixture
async def baker(stage: StageMaker, tmp_path: Path) -> Stage:
    """Ada, furious and about to hand over a loaf."""
    made = await stage(words, characters=write_ada(tmp_path))
    made.engine.taste = taste("furious", "hand over")
    return made


async def opened(made: Stage) -> str:
    return (await made.client.start_scene(["ada"], PLAYERS)).scene_id


async def told(made: Stage, talk: SceneTalk) -> str:
    """All that the model read before a line."""
    await made.wait_until_stored()
    turn = made.store.turn(talk.lines[0].turn_id)
    assert turn is not None
    return "\n".join(message["content"] for message in turn.messages)


async def test_emotion_and_action_of_a_line_come_behind_its_words(baker: Stage) -> None:
    request = scenes_pb2.SayInSceneRequest(
        scene_id=await opened(baker), player_id="p1", text="A loaf."
    )
    async with grpc.aio.insecure_channel(baker.client.address) as channel:
        stub: Any = scenes_pb2_grpc.ScenesStub(channel)
        events = [event async for event in stub.Say(request)]
    kinds = [
        event.reply.WhichOneof("event") if event.HasField("reply") else event.WhichOneof("event")
        for event in events
    ]
    assert kinds[:2] == ["chosen", "started"]
    assert kinds[-4:] == ["delta", "emotion", "action", "finished"]
    assert {event.speaker for event in events} == {"ada"}


async def test_the_client_gets_them_with_the_line(baker: Stage) -> None:
    talk = await baker.client.say_in_scene(await opened(baker), "A loaf.", "p1")
    (line,) = talk.lines
    assert line.emotion is not None
    assert line.emotion.label == "angry"
    assert line.action == Action("hand_over", {"loaf": "rye", "coins": 2})


async def test_what_came_of_an_action_is_heard_whoever_speaks_next(baker: Stage) -> None:
    scene_id = await opened(baker)
    (line,) = (await baker.client.say_in_scene(scene_id, "A loaf.", "p1")).lines
    await baker.client.report_action(line.turn_id, "hand_over", True, "The loaf is gone.")
    heard = await baker.client.say_in_scene(scene_id, "And me?", "p2")
    later = await baker.client.say_in_scene(scene_id, "Well?", "p1")
    assert "The loaf is gone." in await told(baker, heard)
    assert "The loaf is gone." not in (await told(baker, later)).rpartition("And me?")[2]


async def reported(made: Stage, scene_id: str) -> None:
    """A line with an action, and what came of it."""
    (line,) = (await made.client.say_in_scene(scene_id, "A loaf.", "p1")).lines
    await made.client.report_action(line.turn_id, "hand_over", True, "The loaf is gone.")


async def test_what_was_not_heard_of_an_action_outlives_the_server(
    stage: StageMaker, baker: Stage
) -> None:
    scene_id = await opened(baker)
    await reported(baker, scene_id)
    token = await baker.client.checkpoint_scene(scene_id)
    await baker.client.say_in_scene(scene_id, "And me?", "p2")
    after = await stage(words, characters=baker.folder / "cast")
    await after.client.restore_scene(token)
    talk = await after.client.say_in_scene(scene_id, "Well?", "p2")
    assert "The loaf is gone." in await told(after, talk)


async def test_a_save_takes_back_what_was_reported_or_heard_of_an_action(baker: Stage) -> None:
    scene_id = await opened(baker)
    before = await baker.client.checkpoint_scene(scene_id)
    await reported(baker, scene_id)
    await baker.client.say_in_scene(scene_id, "And me?", "p2")
    heard = await baker.client.checkpoint_scene(scene_id)
    for token in (before, heard):
        await baker.client.restore_scene(token)
        talk = await baker.client.say_in_scene(scene_id, "Well?", "p1")
        assert "The loaf is gone." not in (await told(baker, talk)).rpartition("And me?")[2]


async def test_a_line_that_barges_in_behind_the_words_loses_no_action(baker: Stage) -> None:
    scene_id = await opened(baker)
    asking, may_judge = asyncio.Event(), asyncio.Event()

    async def hold(_: Request) -> None:
        asking.set()
        await may_judge.wait()

    baker.engine.before_judging = hold
    first = asyncio.create_task(baker.client.say_in_scene(scene_id, "A loaf.", "p1"))
    await asking.wait()
    second = asyncio.create_task(baker.client.say_in_scene(scene_id, "And me?", "p2"))
    await asyncio.sleep(0.1)
    may_judge.set()
    (line,) = (await first).lines
    assert (line.interrupted, line.action and line.action.name) == (False, "hand_over")
    await second
