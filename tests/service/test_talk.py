"""The chat in the terminal, with its commands, against a real server."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from feedback_store.records import Choice, Edit, Kind, Reason, Thumb
from npc_client.talk import talk
from npc_server.config import LoreSection
from tests.support.casts import mira_who_speaks_of
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def chat(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch, *lines: str
) -> tuple[str, list[object]]:
    """What is printed, and what feedback arrived, when somebody types these lines."""
    made = await stage()
    printed = await typed_into(made, monkeypatch, *lines)
    return printed, [event.payload for event in made.store.events("mira")]


async def typed_into(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    *lines: str,
    consent: bool = False,
    remember: bool = False,
) -> str:
    """What is printed when somebody types these lines."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))
    console = Console(file=io.StringIO(), width=200)
    await talk(stage.client, "mira", "p1", console, consent, remember=remember)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_a_line_is_answered(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    printed, events = await chat(stage, monkeypatch, "Hello.", "/quit", "never sent")
    assert "Mira Holt" in printed
    assert "reply " in printed
    assert events == []


async def test_reactions_are_sent(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    _, events = await chat(
        stage, monkeypatch, "Hello.", "/like", "/dislike too long", "/fix Morning, stranger."
    )
    assert events == [
        Thumb(up=True),
        Thumb(up=False, reasons=(Reason.TOO_LONG,)),
        Edit("Morning, stranger."),
    ]


async def test_one_of_several_takes_is_kept(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed, events = await chat(stage, monkeypatch, "Hello.", "/again", "/keep 1")
    assert "take 2" in printed
    (choice,) = events
    assert isinstance(choice, Choice)
    assert len(choice.over_turn_ids) == 1


async def test_the_latest_reaction_is_taken_back(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    printed = await typed_into(made, monkeypatch, "Hello.", "/like", "/fix Morning.", "/undo")
    undone = {event.kind: event.undone for event in made.store.events("mira")}
    assert undone == {Kind.THUMB: False, Kind.EDIT: True}
    assert "taken back" in printed


@pytest.mark.parametrize("consent", [True, False])
async def test_what_is_said_may_be_trained_on_if_the_player_agrees(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch, consent: bool
) -> None:
    made = await stage()
    await typed_into(made, monkeypatch, "Hello.", consent=consent)
    assert [turn.consent for turn in made.store.turns("mira")] == [consent]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param(["/undo"], "nothing to take back", id="nothing-to-undo"),
        pytest.param(["/like"], "nothing has been said yet", id="too-early"),
        pytest.param(["Hi.", "/dislike ugly"], "'ugly' is no reason", id="no-reason"),
        pytest.param(["Hi.", "/keep 2"], "a number from 1 to 1", id="no-take"),
        pytest.param(["Hi.", "/keep 1"], "only one take", id="no-choice"),
        pytest.param(["Hi.", "/fix"], "needs the words", id="no-words"),
        pytest.param(["/dance"], "no command /dance", id="no-command"),
    ],
)
async def test_a_mistyped_command_explains_itself_and_sends_nothing(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch, typed: list[str], said: str
) -> None:
    printed, events = await chat(stage, monkeypatch, *typed)
    assert said in printed
    assert events == []


async def test_several_characters_talk_in_a_scene(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    printed = await typed_into(
        made, monkeypatch, "/scene mira fenn", "Mira!", "/like", "/listen 1", "/scene", "Hello."
    )
    lines = [line.removeprefix("> ") for line in printed.splitlines()]
    assert "With you are Mira Holt, Fenn Tarrow." in lines
    assert [line.partition(":")[0] for line in lines if line.startswith(("Mira", "Fenn"))] == [
        "Mira Holt",
        "Fenn Tarrow",
    ]
    (liked,) = made.store.events("mira")
    turn = made.store.turn(liked.turn_id)
    assert turn is not None
    assert "speaker" in turn.annotations
    assert any(line.startswith("base · first word") for line in lines)


async def test_a_talk_and_a_scene_go_back_to_their_saves(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    commands = (
        "/load",
        "/save",
        "Hello.",
        "/load",
        "/scene mira",
        "Mira!",
        "/save",
        "Again.",
        "/load",
    )
    printed = await typed_into(made, monkeypatch, *commands)
    assert "/load needs the token of a save" in printed
    assert printed.count("saved; /load leads back here") == 2
    marks = {
        turn.player_text.split("\n")[-1]: turn.rolled_back for turn in made.store.turns("mira")
    }
    assert marks == {"Hello.": True, "Mira!": False, "Again.": True}


async def test_characters_may_be_there_from_the_start(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    monkeypatch.setattr(sys, "stdin", io.StringIO("Fenn!\n"))
    console = Console(file=io.StringIO(), width=200)
    await talk(made.client, "mira", "p1", console, scene_with=["fenn"])
    assert [turn.character for turn in made.store.turns("fenn")] == ["fenn"]


async def test_something_happens_in_the_game(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    printed = await typed_into(made, monkeypatch, "/happen A bell rings.", "/trigger dawn")
    (turn,) = made.store.turns("mira")
    assert turn.player_text == "[A bell rings.]"
    assert turn.reply_text in printed
    assert "mira has no trigger 'dawn'" in printed


async def test_something_happens_in_a_scene(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bell = {"event": "bell", "say_verbatim": ["The flood!"], "cooldown_s": 60}
    made = await stage(characters=mira_who_speaks_of(tmp_path, bell))
    rung = ("/trigger bell", "/trigger bell", "/trigger dawn")
    printed = await typed_into(made, monkeypatch, "/scene mira", *rung)
    assert "Mira Holt: The flood!" in printed
    assert "triggered bell" in printed
    assert "nothing is said: cooldown" in printed
    assert "mira has no trigger 'dawn'" in printed


async def test_a_wrong_name_is_told_and_the_chat_goes_on(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    printed = await typed_into(
        made, monkeypatch, "/scene mria", "/listen", "/scene mira", "/again", "/like", "/scene"
    )
    assert "Did you mean 'mira'?" in printed
    assert "/scene NAMES begins one" in printed
    assert "/again is for a talk of two" in printed
    assert "nobody has said anything yet" in printed


async def test_what_the_character_remembers_is_shown_and_forgotten(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("/memory", "My name is Ada.", "/memory", "/forget x", "/forget", "/memory")
    printed, _ = await chat(stage, monkeypatch, *lines)
    assert printed.count("nothing yet") == 2
    assert printed.count("My name is Ada.") == 1
    assert "nothing that is remembered has the id x" in printed
    assert "forgotten: 1" in printed


async def test_a_player_is_remembered_from_chat_to_chat_if_they_like(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    await typed_into(made, monkeypatch, "My name is Ada.", remember=True)
    assert "My name is Ada." in await typed_into(made, monkeypatch, "/memory", remember=True)
    assert "nothing yet" in await typed_into(made, monkeypatch, "/memory")


async def test_the_state_of_the_world_is_told_and_shown(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage(lore=LoreSection(tokens=400))
    printed = await typed_into(
        made, monkeypatch, "/world quest.mill=2 night=true", "/world weather", "How is the mill?"
    )
    assert "night=true, quest.mill=2; the rest is as declared\n" in printed
    assert "told: It is night.\n" in printed
    assert "weather assigns nothing; write NAME=VALUE" in printed
    assert "tokens: saltmere/night, saltmere/mill-turns" in printed


async def test_a_value_that_the_world_does_not_take_is_explained(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed, _ = await chat(stage, monkeypatch, "/world quest.mil=2", "/world quest.mill=9", "Hi.")
    assert "Did you mean 'quest.mill'?" in printed
    assert "takes a whole number, at least 0, at most 2; got 9" in printed
    assert "reply" in printed
