"""How things stand in the game, and lore, over the wire: told, counted, kept in save games."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from npc_client.client import Notes, Written
from npc_server.config import GuardSection, LoreSection
from tests.support.calls import refusal
from tests.support.casts import copy_cast
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

MILL = "Who owns the mill?"
LORE = LoreSection(tokens=400)  # each of the scripted engine's tokens is a byte


async def opened(made: Stage, **world: bool | int | float | str | Written) -> str:
    """A new session with Fenn; `mill` stands for `quest.mill`."""
    values = {name.replace("mill", "quest.mill"): value for name, value in world.items()}
    return (await made.client.start_session("fenn", "p1", world=values)).session_id


def sources(notes: Notes) -> list[str]:
    return [note.source for note in notes.told]


def prompt_of(made: Stage, turn_id: str) -> str:
    """What the model was given with the player's line."""
    turn = made.store.turn(turn_id)
    assert turn is not None
    return turn.messages[-1]["content"]


async def test_a_line_brings_up_the_lore_that_it_touches(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    reply = await made.client.say(await opened(made), MILL, seed=1)
    assert sources(reply.notes) == ["saltmere/mill-broken"]
    assert prompt_of(made, reply.turn_id) == (
        f"[The mill at Sallow Ford stands still because its axle broke.]\n{MILL}"
    )
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.annotations["notes"]["kept"][0]["source"] == "saltmere/mill-broken"  # type: ignore[call-overload,index]


async def test_a_line_that_touches_nothing_is_said_alone(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    reply = await made.client.say(await opened(made), "Good morning.", seed=1)
    assert reply.notes == Notes()
    assert prompt_of(made, reply.turn_id) == "Good morning."


async def test_what_is_told_follows_the_state_of_the_world(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    session = await opened(made, mill=1)
    first = await made.client.say(session, MILL, seed=1)
    second = await made.client.say(session, MILL, seed=2, world={"quest.mill": 2, "night": True})
    await made.client.update_context(session, world={"weather": Written("foggy")})
    third = await made.client.say(session, "The flour?", seed=3)
    assert sources(first.notes) == ["saltmere/mill-axle"]
    assert sources(second.notes) == ["saltmere/night", "saltmere/mill-turns"]
    assert sources(third.notes) == ["saltmere/weather", "saltmere/night", "saltmere/mill-turns"]
    turn = made.store.turn(third.turn_id)
    assert turn is not None
    world = turn.annotations["world"]
    assert isinstance(world, dict)
    assert world["values"] == {"quest.mill": 2, "night": True, "weather": "foggy"}


async def test_an_update_says_what_the_next_prompt_carries_and_what_had_no_room(
    stage: StageMaker,
) -> None:
    made = await stage(lore=LoreSection(tokens=100))
    session = await opened(made)
    notes = ["A rider has come from the north.", "The bridge is down.", "Long ago. " * 9]
    told = await made.client.update_context(session, notes)
    assert [note.text for note in told.told] == notes[:2]
    assert [note.text for note in told.left_out] == [notes[2].strip()]
    assert (told.tokens, told.tokens_left) == (54, 46)
    after = await made.client.update_context(session, ["It rains."], mode="replace")
    assert [note.text for note in after.told] == ["It rains."]
    assert (await made.client.update_context(session, mode="reset")).told == ()


async def test_other_takes_are_told_what_the_first_was(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    session = await opened(made)
    first = await made.client.say(session, MILL, seed=1)
    await made.client.update_context(session, world={"quest.mill": 2})
    again = await made.client.regenerate(session, first.turn_id, seed=2)
    assert prompt_of(made, again.turn_id) == prompt_of(made, first.turn_id)


async def test_a_line_that_was_answered_reports_nothing_again(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    session = await opened(made)
    await made.client.say(session, "Hello.", seed=1, line_id="l1", world={"quest.mill": 1})
    await made.client.update_context(session, world={"quest.mill": 2})
    await made.client.say(session, "Hello.", seed=1, line_id="l1", world={"quest.mill": 1})
    reply = await made.client.say(session, MILL, seed=2)
    assert sources(reply.notes) == ["saltmere/mill-turns"]


async def test_a_save_game_takes_the_state_back(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    session = await opened(made, mill=1)
    await made.client.update_context(session, ["It rains."])
    token = await made.client.checkpoint(session)
    await made.client.update_context(session, world={"quest.mill": 2}, mode="reset")
    assert sources((await made.client.say(session, MILL, seed=1)).notes) == ["saltmere/mill-turns"]
    await made.client.restore(token)
    reply = await made.client.say(session, MILL, seed=2)
    assert sources(reply.notes) == ["game", "saltmere/mill-axle"]


async def test_what_rests_goes_on_resting_after_a_save_game(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    session = await opened(made)
    bells = "I heard bells."
    assert sources((await made.client.say(session, bells, seed=1)).notes) == ["saltmere/bells"]
    token = await made.client.checkpoint(session)
    await made.client.end_session(session)
    await made.client.restore(token)
    told = [sources((await made.client.say(session, bells, seed=n)).notes) for n in range(4)]
    assert told == [[], [], [], ["saltmere/bells"]]


@pytest.mark.parametrize(
    ("world", "what"),
    [
        ({"quest.mil": 1}, "no variable 'quest.mil'; known: night, quest.mill, weather. Did you"),
        ({"quest.mill": 3}, "quest.mill takes a whole number, at least 0, at most 2; got 3"),
        ({"quest.mill": True}, "got true"),
        ({"weather": "fogy"}, "did you mean 'foggy'?"),
        ({"night": Written("perhaps")}, 'night takes true or false; got "perhaps"'),
    ],
)
async def test_what_the_world_does_not_take_is_refused_and_changes_nothing(
    stage: StageMaker, world: dict[str, bool | int | str | Written], what: str
) -> None:
    made = await stage(lore=LORE)
    session = await opened(made)
    code, details = await refusal(made.client.update_context(session, ["It rains."], world))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert what in details
    assert (await made.client.update_context(session)).told == ()
    code, _ = await refusal(made.client.say(session, "Hello.", world=world))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    code, _ = await refusal(made.client.start_session("fenn", "p1", world=world))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_character_without_a_world_has_no_room_for_notes(
    stage: StageMaker, tmp_path: Path
) -> None:
    cast = copy_cast(tmp_path, "fenn")
    card = cast / "fenn" / "persona.yaml"
    card.write_text(card.read_text().replace("world: saltmere\n", ""))
    made = await stage(characters=cast, lore=LORE)
    session = await opened(made)
    for call in (
        made.client.update_context(session, ["It rains."]),
        made.client.update_context(session, world={"quest.mill": 1}),
    ):
        code, details = await refusal(call)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "fenn" in details


async def test_a_note_is_a_text_of_some_length(stage: StageMaker) -> None:
    made = await stage(lore=LORE)
    session = await opened(made)
    for note in (" ", "x" * 1001):
        code, details = await refusal(made.client.update_context(session, [note]))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "notes.text" in details


async def test_a_secret_may_be_told_once_the_world_says_so(
    stage: StageMaker, tmp_path: Path
) -> None:
    cast = copy_cast(tmp_path, "mira")
    lore, first = cast / "mira" / "lore.yaml", "  - id: sluice-key\n"
    lore.write_text(lore.read_text().replace(first, f"{first}    when: quest.mill < 2\n"))
    made = await stage(
        lambda _: "It was my locking pin.", characters=cast, lore=LORE, guard=GuardSection()
    )
    kept, told = [
        await made.client.say(
            (await made.client.start_session("mira", "p1", world={"quest.mill": mill})).session_id,
            "Why did the gate fail?",
            seed=1,
        )
        for mill in (1, 2)
    ]
    assert sources(kept.notes) == ["mira/sluice-key"]
    assert "pin" not in kept.text
    assert [hit.rule for hit in kept.guard_hits][:1] == ["leak"]
    assert (told.text, told.guard_hits) == ("It was my locking pin.", ())


def written_sticky(folder: Path) -> Path:
    """A cast whose lore of the mill is told for a turn more, and then rests; returns its folder."""
    cast = copy_cast(folder)
    lore = folder / "worlds" / "saltmere" / "lore.yaml"
    text = lore.read_text(encoding="utf-8")
    timed = text.replace("- id: mill-broken", "- id: mill-broken\n    sticky: 1\n    cooldown: 3")
    lore.write_text(timed, encoding="utf-8")
    return cast


async def test_how_long_lore_was_told_and_rests_outlives_the_server(
    stage: StageMaker, tmp_path: Path
) -> None:
    cast = written_sticky(tmp_path)
    made = await stage(lore=LORE, characters=cast)
    session = await opened(made)
    await made.client.say(session, MILL, seed=1)
    token = await made.client.checkpoint(session)
    after = await stage(lore=LORE, characters=cast)
    await after.client.restore(token)
    told = [
        sources((await after.client.say(session, line, seed=1)).notes)
        for line in ("Good morning.", MILL)
    ]
    assert told == [["saltmere/mill-broken"], []]


async def test_how_long_lore_rests_in_a_scene_rides_in_its_save_games(
    stage: StageMaker, tmp_path: Path
) -> None:
    cast = written_sticky(tmp_path)
    made = await stage(lore=LORE, characters=cast)
    scene = await made.client.start_scene(["fenn"], {"p1": "Anna"})
    await made.client.say_in_scene(scene.scene_id, MILL, seed=1)
    token = await made.client.checkpoint_scene(scene.scene_id)
    after = await stage(lore=LORE, characters=cast)
    await after.client.restore_scene(token)
    for line in ("Good morning.", MILL):
        await after.client.say_in_scene(scene.scene_id, line, seed=1)
    await after.wait_until_stored()
    told = [
        "mill-broken" in str(turn.annotations.get("notes")) for turn in made.store.turns("fenn")
    ]
    assert told == [True, True, False]
