"""Save games of scenes, over real gRPC."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from npc_client.client import RestoredScene, Scene
from tests.support.calls import refusal
from tests.support.casts import copy_cast
from tests.support.scripted_server import PSEUDONYMS, Stage, StageMaker
from tests.support.taverns import ANNA, PLACE, read, tavern, turns, voice

pytestmark = pytest.mark.service


@pytest.fixture
async def made(stage: StageMaker) -> Stage:
    return await stage(voice)


def lived(restored: RestoredScene) -> list[tuple[str, str]]:
    """Who said what."""
    return [(line.name, line.text) for line in restored.lines]


async def said(made: Stage, scene: Scene, *lines: str) -> None:
    for line in lines:
        await made.client.say_in_scene(scene.scene_id, line, "p1")


def rolled_back(made: Stage, character: str) -> list[bool]:
    """Of each of a character's turns, whether it is marked as not lived through."""
    return [turn.rolled_back for turn in made.store.turns(character)]


async def test_a_scene_goes_back_and_what_was_said_since_stays_as_evidence(made: Stage) -> None:
    scene = await tavern(made)
    await said(made, scene, "Mira?")
    token = await made.client.checkpoint_scene(scene.scene_id)
    await said(made, scene, "Fenn?", "Mira, again!")
    restored = await made.client.restore_scene(token)
    assert restored.scene.scene_id == scene.scene_id
    assert lived(restored) == [
        ("Anna", "Mira?"),
        ("Mira Holt", "Well, Mira speaks, the 1th time."),
    ]
    assert (rolled_back(made, "mira"), rolled_back(made, "fenn")) == ([False, True], [True])
    talk = await made.client.say_in_scene(scene.scene_id, "Fenn, now!")
    assert (await read(made, talk))[1:] == [
        '[Anna says, "Mira?"]',
        '[Mira Holt says, "Well, Mira speaks, the 1th time."]',
        "Fenn, now!",
    ]


async def test_a_scene_outlives_its_server_with_what_each_had_heard(
    stage: StageMaker, made: Stage
) -> None:
    scene = await tavern(made)
    await made.client.say_in_scene(scene.scene_id, "A secret.", to=["mira"], audience=["mira"])
    await made.client.join_scene(scene.scene_id, "orsolo")
    await made.client.leave_scene(scene.scene_id, character="fenn")
    token = await made.client.checkpoint_scene(scene.scene_id)
    after = await stage(voice)
    restored = await after.client.restore_scene(token)
    assert [one.character for one in restored.scene.members] == ["mira", "orsolo"]
    assert restored.player_names == ("Anna",)
    talk = await after.client.say_in_scene(scene.scene_id, "Orsolo?", "p1")
    assert await read(after, talk) == [
        "[You are in the tavern, with Mira Holt, Fenn Tarrow and Anna.]",
        "[Fenn Tarrow leaves.]",
        "Orsolo?",
    ]
    other = await after.client.say_in_scene(scene.scene_id, "Mira?", "p1")
    assert (await turns(after, other))[0].reply_text == "Well, Mira speaks, the 2th time."


async def test_a_character_that_had_left_comes_back_with_what_it_had_heard(
    stage: StageMaker, made: Stage
) -> None:
    scene = await tavern(made)
    await said(made, scene, "Fenn?")
    await made.client.leave_scene(scene.scene_id, character="fenn")
    token = await made.client.checkpoint_scene(scene.scene_id)
    after = await stage(voice)
    await after.client.restore_scene(token)
    await after.client.join_scene(scene.scene_id, "fenn")
    talk = await after.client.say_in_scene(scene.scene_id, "Fenn?")
    assert talk.lines[0].text == "Well, Fenn speaks, the 2th time."


async def test_choices_and_corrections_come_back_as_they_were(
    stage: StageMaker, made: Stage
) -> None:
    scene = await tavern(made)
    (line,) = (await made.client.say_in_scene(scene.scene_id, "Mira?")).lines
    await made.client.edit(line.turn_id, "By noon.")
    token = await made.client.checkpoint_scene(scene.scene_id)
    await made.client.edit(line.turn_id, "By dusk.")
    restored = await (await stage(voice)).client.restore_scene(token)
    assert lived(restored)[-1] == ("Mira Holt", "By noon.")


async def test_a_broken_line_comes_back_as_far_as_it_was_heard(made: Stage) -> None:
    scene = await tavern(made)
    made.engine.gate.clear()
    heard = asyncio.Event()
    call = made.client.say_in_scene(scene.scene_id, "Mira?", on_text=lambda _, __: heard.set())
    asked = asyncio.create_task(call)
    await heard.wait()
    code, why = await refusal(made.client.checkpoint_scene(scene.scene_id))
    assert (code, "being said" in why) == (grpc.StatusCode.ABORTED, True)
    asked.cancel()
    while made.engine.running:
        await asyncio.sleep(0.01)
    made.engine.gate.set()
    restored = await made.client.restore_scene(await made.client.checkpoint_scene(scene.scene_id))
    assert (restored.lines[-1].text, restored.lines[-1].interrupted) == ("Well,", True)


async def test_loading_interrupts_what_is_being_said(made: Stage) -> None:
    scene = await tavern(made)
    token = await made.client.checkpoint_scene(scene.scene_id)
    made.engine.gate.clear()
    heard = asyncio.Event()
    call = made.client.say_in_scene(scene.scene_id, "Mira?", on_text=lambda _, __: heard.set())
    asked = asyncio.create_task(call)
    await heard.wait()
    assert lived(await made.client.restore_scene(token)) == []
    assert (await asked).lines[0].interrupted
    made.engine.gate.set()
    talk = await made.client.say_in_scene(scene.scene_id, "Mira?")
    assert (await read(made, talk))[1:] == ["Mira?"]


async def test_world_and_consent_come_back(stage: StageMaker, made: Stage) -> None:
    scene = await made.client.start_scene(
        ["mira"], ANNA, PLACE, training_consent=True, world={"weather": "foggy"}
    )
    token = await made.client.checkpoint_scene(scene.scene_id)
    await made.client.join_scene_as_player(scene.scene_id, "p2", "Bela")
    after = await stage(voice)
    assert (await after.client.restore_scene(token)).scene.training_consent
    talk = await after.client.say_in_scene(scene.scene_id, "Mira?")
    (turn,) = await turns(after, talk)
    told = turn.annotations["world"]
    assert isinstance(told, dict)
    assert (turn.consent, told["values"]) == (True, {"weather": "foggy"})


async def test_branches_can_be_left_and_gone_back_to(made: Stage) -> None:
    scene = await tavern(made, "mira")
    start = await made.client.checkpoint_scene(scene.scene_id)
    await said(made, scene, "One.")
    branch = await made.client.checkpoint_scene(scene.scene_id)
    await made.client.restore_scene(start)
    await said(made, scene, "Other.")
    assert rolled_back(made, "mira") == [True, False]
    assert lived(await made.client.restore_scene(branch))[0] == ("Anna", "One.")
    assert rolled_back(made, "mira") == [False, True]


async def test_what_was_told_in_the_scene_is_unknown_again(made: Stage) -> None:
    scene = await tavern(made, "mira")
    token = await made.client.checkpoint_scene(scene.scene_id)
    talk = await made.client.say_in_scene(scene.scene_id, "My name is Anna of Ostrel.")
    await made.wait_until_stored()
    session_id, player = talk.lines[0].session_id, PSEUDONYMS.of("p1")
    assert made.store.memories("mira", player, session_id).statements
    await made.client.restore_scene(token)
    assert not made.store.memories("mira", player, session_id).statements


async def test_a_scene_that_ended_opens_again(made: Stage) -> None:
    scene = await tavern(made)
    await said(made, scene, "Mira?")
    token = await made.client.checkpoint_scene(scene.scene_id)
    await made.client.end_scene(scene.scene_id)
    await made.client.restore_scene(token)
    talk = await made.client.say_in_scene(scene.scene_id, "Mira?")
    assert talk.lines[0].text == "Well, Mira speaks, the 2th time."


async def test_a_part_of_a_scene_has_no_save_of_its_own(made: Stage) -> None:
    scene = await tavern(made)
    (line,) = (await made.client.say_in_scene(scene.scene_id, "Mira?")).lines
    code, why = await refusal(made.client.checkpoint(line.session_id))
    assert (code, "part of scene" in why) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_a_token_of_no_scene_says_so(made: Stage) -> None:
    code, why = await refusal(made.client.restore_scene("nope"))
    assert (code, "no save game of a scene" in why) == (grpc.StatusCode.NOT_FOUND, True)


async def test_a_save_with_a_character_who_left_the_cast_says_so(
    stage: StageMaker, made: Stage, tmp_path: Path
) -> None:
    token = await made.client.checkpoint_scene((await tavern(made)).scene_id)
    after = await stage(voice, characters=copy_cast(tmp_path, "mira", "orsolo"))
    code, why = await refusal(after.client.restore_scene(token))
    assert (code, "no longer in the cast" in why) == (grpc.StatusCode.NOT_FOUND, True)


async def test_of_a_forgotten_player_a_save_keeps_no_word_and_others_go_on(
    stage: StageMaker, made: Stage
) -> None:
    players = {"p1": "Anna", "p2": "Bela"}
    scene = await made.client.start_scene(["mira", "fenn"], players, PLACE)
    await made.client.say_in_scene(scene.scene_id, "A secret.", "p1", ["fenn"], ["fenn"])
    await made.client.say_in_scene(scene.scene_id, "Good day.", "p2", ["mira"], ["mira"])
    token = await made.client.checkpoint_scene(scene.scene_id)
    await asyncio.wrap_future(made.store.forget(PSEUDONYMS.of("p1")))
    restored = await (await stage(voice)).client.restore_scene(token)
    assert restored.player_names == ("Bela",)
    assert lived(restored) == [
        ("Bela", "Good day."),
        ("Mira Holt", "Well, Mira speaks, the 1th time."),
    ]


async def test_a_save_of_nobody_but_the_forgotten_leads_nowhere(made: Stage) -> None:
    scene = await tavern(made)
    await said(made, scene, "Mira?")
    token = await made.client.checkpoint_scene(scene.scene_id)
    assert made.store.forget(PSEUDONYMS.of("p1")).result(5).checkpoints == 1
    assert (await refusal(made.client.restore_scene(token)))[0] is grpc.StatusCode.NOT_FOUND
