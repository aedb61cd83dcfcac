"""What happens in a scene, and who speaks of it, over real gRPC."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from npc_client.client import Scene, SceneTalk
from tests.support.calls import refusal
from tests.support.casts import copy_cast, with_triggers
from tests.support.scripted_server import Stage, StageMaker
from tests.support.taverns import ANNA, read, speakers, tavern, turns, voice

pytestmark = pytest.mark.service

BELL = "The bell rings twice."
OF_MIRA = (
    {"event": "bell", "happens": BELL, "instruction": "You warn them.", "cooldown_s": 60},
    {"event": "greet", "say_verbatim": ["Mind the sparks."]},
    {"event": "omen", "happens": "A raven falls.", "when": "quest.mill >= 1"},
)
OF_FENN = ({"event": "bell", "happens": "A bell?", "priority": -1, "cooldown_s": 60},)


def cast(folder: Path) -> Path:
    """The folder of a cast of Mira and Fenn, with these triggers, and Orsolo without any."""
    made = with_triggers(copy_cast(folder, "mira", "fenn", "orsolo"), "mira", *OF_MIRA)
    return with_triggers(made, "fenn", *OF_FENN)


@pytest.fixture
async def made(stage: StageMaker, tmp_path: Path) -> Stage:
    return await stage(voice, characters=cast(tmp_path))


async def ring(made: Stage, scene: Scene, **how: Any) -> SceneTalk:
    return await made.client.trigger_in_scene(scene.scene_id, "bell", **how)


async def begun(made: Stage, call: Any) -> asyncio.Task[SceneTalk]:
    """A call whose reply is held behind its first word."""
    made.engine.gate.clear()
    task = asyncio.create_task(call)
    while made.engine.running < 1:
        await asyncio.sleep(0.01)
    return task


async def test_the_character_whose_trigger_comes_first_speaks_as_its_author_wants(
    made: Stage,
) -> None:
    scene = await tavern(made, "fenn", "mira")
    talk = await ring(made, scene)
    assert (speakers(talk), talk.lines[0].why[0]) == (["mira"], "triggered bell")
    assert (await read(made, talk))[1:] == [f"[{BELL} You warn them.]"]


@pytest.mark.parametrize(("text", "told"), [("", []), ("A horn blows.", ["[A horn blows.]"])])
async def test_all_who_are_there_hear_the_line_and_read_what_the_game_told(
    made: Stage, text: str, told: list[str]
) -> None:
    scene = await tavern(made, "mira", "fenn")
    await ring(made, scene, text=text)
    talk = await made.client.say_in_scene(scene.scene_id, "Fenn?")
    assert (await read(made, talk))[1:] == [
        *told,
        '[Mira Holt says, "Well, Mira speaks, the 1th time."]',
        "Fenn?",
    ]


async def test_only_those_who_notice_hear_of_it(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    await ring(made, scene, text="A horn blows.", audience=["mira"])
    deaf = await made.client.say_in_scene(scene.scene_id, "Fenn?")
    assert (await read(made, deaf))[1:] == ["Fenn?"]


async def test_who_does_not_notice_does_not_speak(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn", "orsolo")
    assert speakers(await ring(made, scene, audience=["fenn", "orsolo"])) == ["fenn"]


async def test_the_game_may_name_the_character(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    talk = await ring(made, scene, character="fenn")
    assert (speakers(talk), talk.lines[0].why[:2]) == (["fenn"], ("triggered bell", "addressed"))


async def test_scripted_words_are_said_heard_and_recorded_as_any_line(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    heard: list[str] = []
    talk = await made.client.trigger_in_scene(
        scene.scene_id, "greet", on_text=lambda _, text: heard.append(text)
    )
    (turn,) = await turns(made, talk)
    assert (heard, turn.finish_reason) == (["Mind the sparks."], "scripted")
    later = await made.client.say_in_scene(scene.scene_id, "Fenn?")
    assert (await read(made, later))[1:] == ['[Mira Holt says, "Mind the sparks."]', "Fenn?"]
    _, why = await refusal(made.client.regenerate(talk.lines[0].session_id, turn.turn_id))
    assert "written by an author" in why


async def test_the_games_own_words_need_a_speaker(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    say = made.client.trigger_in_scene
    talk = await say(scene.scene_id, verbatim="We are closed.", character="fenn")
    assert [(line.speaker, line.text) for line in talk.lines] == [("fenn", "We are closed.")]
    code, why = await refusal(say(scene.scene_id, verbatim="We are closed."))
    assert (code, "name it in character" in why) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_of_what_nobody_waits_for_the_one_with_most_reason_speaks(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn", "orsolo")
    talk = await made.client.trigger_in_scene(scene.scene_id, text="A rat bites Orsolo.")
    assert (speakers(talk), talk.lines[0].why[0]) == (["orsolo"], "named Orsolo")


async def test_triggers_rest_by_character_and_then_nobody_speaks(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    assert [speakers(await ring(made, scene)) for _ in range(2)] == [["mira"], ["fenn"]]
    silent = await ring(made, scene)
    assert (silent.lines, silent.silence) == ((), "cooldown")
    talk = await made.client.say_in_scene(scene.scene_id, "Fenn?")
    assert (await read(made, talk)) == ["Fenn?"]


async def test_conditions_are_asked_of_the_world_as_it_is_told(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    omen = made.client.trigger_in_scene
    assert (await omen(scene.scene_id, "omen")).silence == "condition"
    assert speakers(await omen(scene.scene_id, "omen", world={"quest.mill": 1})) == ["mira"]


async def test_what_triggers_have_rested_outlives_the_server(
    stage: StageMaker, made: Stage
) -> None:
    scene = await tavern(made, "mira")
    start = await made.client.checkpoint_scene(scene.scene_id)
    await ring(made, scene)
    token = await made.client.checkpoint_scene(scene.scene_id)
    after = await stage(voice, characters=made.folder / "cast")
    lived = (await after.client.restore_scene(token)).lines
    assert [line.text for line in lived] == [BELL, "Well, Mira speaks, the 1th time."]
    assert lived[0].heard_by == ("mira",)
    assert (await ring(after, scene)).silence == "cooldown"
    await after.client.restore_scene(start)
    assert speakers(await ring(after, scene)) == ["mira"]


async def test_the_same_call_again_is_the_same_line_and_silence_stays_silence(made: Stage) -> None:
    scene = await tavern(made, "mira")
    first = await ring(made, scene, trigger_id="x")
    silent = await ring(made, scene, trigger_id="y")
    assert await ring(made, scene, trigger_id="x") == first
    assert await ring(made, scene, trigger_id="y") == silent
    code, why = await refusal(made.client.trigger_in_scene(scene.scene_id, "greet", trigger_id="x"))
    assert (code, "another event" in why) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_a_player_interrupts_and_the_event_goes_on_under_its_id_no_more(
    made: Stage,
) -> None:
    scene = await tavern(made, "mira", "fenn")
    ringing = await begun(made, ring(made, scene, trigger_id="x"))
    asked = asyncio.create_task(made.client.say_in_scene(scene.scene_id, "Hush, Fenn!"))
    (broken,) = (await ringing).lines
    made.engine.gate.set()
    assert (broken.interrupted, speakers(await asked)) == (True, ["fenn"])
    code, _ = await refusal(ring(made, scene, trigger_id="x"))
    assert code is grpc.StatusCode.NOT_FOUND
    assert speakers(await ring(made, scene, character="fenn")) == ["fenn"]


async def test_a_line_that_was_broken_off_is_said_anew_under_its_id(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    ringing = await begun(made, ring(made, scene, trigger_id="x"))
    ringing.cancel()
    while made.engine.running:
        await asyncio.sleep(0.01)
    made.engine.gate.set()
    again = await ring(made, scene, trigger_id="x")
    assert speakers(again) == ["mira"]
    assert (await read(made, again))[1:] == [f"[{BELL} You warn them.]"]
    assert (await turns(made, again))[0].take == 1


async def test_nothing_happens_while_somebody_speaks(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    asked = await begun(made, made.client.say_in_scene(scene.scene_id, "Fenn?"))
    assert (await refusal(ring(made, scene)))[0] is grpc.StatusCode.ABORTED
    made.engine.gate.set()
    assert speakers(await asked) == ["fenn"]


async def test_an_event_of_no_trigger_is_refused_with_those_there_are(made: Stage) -> None:
    scene = await tavern(made, "mira", "fenn")
    code, why = await refusal(made.client.trigger_in_scene(scene.scene_id, "bel"))
    assert "nobody here has a trigger for it: no trigger 'bel'; known: bell, greet, omen" in why
    named = made.client.trigger_in_scene(scene.scene_id, "greet", character="fenn")
    assert "fenn has no trigger 'greet'" in (await refusal(named))[1]
    absent = made.client.trigger_in_scene(scene.scene_id, "bell", character="orsolo")
    assert (await refusal(absent))[0] is grpc.StatusCode.NOT_FOUND
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_game_event_before_any_line_is_credited_to_the_first_player(made: Stage) -> None:
    scene = await made.client.start_scene(["mira"], {**ANNA, "p2": "Bela"})
    (turn,) = await turns(made, await ring(made, scene))
    session = made.store.session(turn.session_id)
    assert session is not None
    assert (session.scene_id, session.player_id) == (scene.scene_id, turn.player_id)
