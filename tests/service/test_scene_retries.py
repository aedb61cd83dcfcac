"""Calls of scenes that are sent again under their id: nothing is said twice."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from npc_client.client import Scene, SceneTalk
from tests.support.calls import refusal
from tests.support.scripted_server import Stage, StageMaker
from tests.support.taverns import speakers, tavern, voice

pytestmark = pytest.mark.service


@pytest.fixture
async def made(stage: StageMaker) -> Stage:
    return await stage(voice)


async def broken_off(made: Stage, call: asyncio.Task[SceneTalk], heard: asyncio.Event) -> None:
    """Have a link break behind the first word."""
    await heard.wait()
    call.cancel()
    while made.engine.running:
        await asyncio.sleep(0.01)
    made.engine.gate.set()


async def break_off_a_line(made: Stage, scene: Scene, line_id: str) -> None:
    made.engine.gate.clear()
    heard = asyncio.Event()
    call = made.client.say_in_scene(
        scene.scene_id, "Mira?", line_id=line_id, on_text=lambda _, __: heard.set()
    )
    await broken_off(made, asyncio.create_task(call), heard)


async def test_a_line_that_was_answered_is_streamed_again(made: Stage) -> None:
    scene = await tavern(made)
    first = await made.client.say_in_scene(scene.scene_id, "Mira! Fenn!", line_id="l1")
    asked = len(made.engine.requests)
    again = await made.client.say_in_scene(scene.scene_id, "Mira! Fenn!", line_id="l1")
    assert again == first
    assert len(made.engine.requests) == asked


async def test_an_answered_line_does_not_interrupt_when_it_comes_again(made: Stage) -> None:
    scene = await tavern(made)
    first = await made.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1")
    made.engine.gate.clear()
    heard = asyncio.Event()
    call = made.client.continue_scene(scene.scene_id, on_text=lambda _, __: heard.set())
    talking = asyncio.create_task(call)
    await heard.wait()
    assert await made.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1") == first
    made.engine.gate.set()
    assert (await talking).rest == "lines"


async def test_a_line_that_is_still_being_answered_is_waited_for(made: Stage) -> None:
    scene = await tavern(made)
    made.engine.gate.clear()
    calls = [
        asyncio.create_task(made.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1"))
        for _ in range(2)
    ]
    while made.engine.running < 1:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    made.engine.gate.set()
    first, second = [await call for call in calls]
    assert first.lines[-1].turn_id == second.lines[-1].turn_id
    await made.wait_until_stored()
    assert {turn.player_text.count("Mira?") for turn in made.store.turns("mira")} == {1}


async def test_an_interrupted_line_is_answered_anew(made: Stage) -> None:
    scene = await tavern(made)
    await break_off_a_line(made, scene, "l1")
    talk = await made.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1")
    assert [line.text for line in talk.lines] == ["Well, Mira speaks, the 1th time."]
    await made.wait_until_stored()
    assert [turn.take for turn in made.store.turns("mira")] == [0, 1]
    heard = await made.client.say_in_scene(scene.scene_id, "Fenn?")
    (turn,) = [one for one in made.store.turns("fenn") if one.turn_id == heard.lines[0].turn_id]
    assert turn.player_text.count("Mira Holt says") == 1


async def test_an_interrupted_line_is_no_more_answered_once_others_spoke(made: Stage) -> None:
    scene = await tavern(made)
    await break_off_a_line(made, scene, "l1")
    await made.client.say_in_scene(scene.scene_id, "Fenn?")
    call = made.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1")
    code, why = await refusal(call)
    assert (code, "under a new id" in why) == (grpc.StatusCode.NOT_FOUND, True)


async def test_the_id_of_another_line_is_refused(made: Stage) -> None:
    scene = await tavern(made)
    await made.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1")
    code, why = await refusal(made.client.say_in_scene(scene.scene_id, "Fenn?", line_id="l1"))
    assert (code, "another text" in why) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_a_talk_that_ended_is_streamed_again(made: Stage) -> None:
    scene = await tavern(made)
    talk = made.client.continue_scene
    first = await talk(scene.scene_id, 2, "A bell rings.", continue_id="c1")
    again = await talk(scene.scene_id, 2, "A bell rings.", continue_id="c1")
    assert again == first
    assert len((await talk(scene.scene_id, 2, continue_id="c2")).lines) == 2


async def test_a_talk_that_was_broken_off_goes_on_to_its_end(made: Stage) -> None:
    scene = await tavern(made)
    ended, heard = asyncio.Event(), asyncio.Event()

    def on_text(speaker: str, _: str) -> None:
        if speaker == "fenn":
            heard.set()

    def on_line(_: object) -> None:
        made.engine.gate.clear()
        ended.set()

    call = made.client.continue_scene(
        scene.scene_id, 3, "A bell rings.", on_text=on_text, on_line=on_line, continue_id="c1"
    )
    await broken_off(made, asyncio.create_task(call), heard)
    talk = await made.client.continue_scene(scene.scene_id, 3, "A bell rings.", continue_id="c1")
    assert (speakers(talk), talk.rest) == (["mira", "fenn", "mira"], "lines")
    assert not any(line.interrupted for line in talk.lines)
    await made.wait_until_stored()
    assert [turn.player_text.count("A bell") for turn in made.store.turns("mira")] == [1, 0]


async def test_a_take_in_a_scene_is_the_same_under_its_id(made: Stage) -> None:
    scene = await tavern(made)
    (line,) = (await made.client.say_in_scene(scene.scene_id, "Mira?")).lines
    takes = [
        await made.client.regenerate(line.session_id, line.turn_id, take_id="t1") for _ in range(2)
    ]
    assert takes[0].turn_id == takes[1].turn_id


async def test_ids_of_lines_come_back_with_a_save_game(stage: StageMaker, made: Stage) -> None:
    scene = await tavern(made)
    first = await made.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1")
    token = await made.client.checkpoint_scene(scene.scene_id)
    after = await stage(voice)
    await after.client.restore_scene(token)
    again = await after.client.say_in_scene(scene.scene_id, "Mira?", line_id="l1")
    assert again == first
