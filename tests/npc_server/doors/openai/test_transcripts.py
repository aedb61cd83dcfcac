"""What clients send, in the shape that talks have."""

from __future__ import annotations

from typing import Literal

import pytest

from npc_server.doors.openai.fields import Message
from npc_server.doors.openai.transcripts import (
    MAX_BROUGHT_CHARACTERS,
    MAX_BROUGHT_LINES,
    MAX_SCENE_CHARACTERS,
    Answered,
    Transcript,
    transcript_of,
)
from npc_server.errors import InvalidRequestError
from personas.render import Line, Speaker

_ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "s": "system",
    "u": "user",
    "a": "assistant",
}


def read(*texts: str) -> Transcript:
    """The transcript of messages, each with the first letter of its role before it."""
    return transcript_of([Message(_ROLES[text[0]], text[2:]) for text in texts], "Mira Holt")


def test_lines_and_replies_are_paired() -> None:
    assert read("u Hello.", "a Hi.", "u Wares?") == Transcript(
        "", (Answered("Hello.", "Hi."),), "Wares?"
    )


def test_a_character_may_speak_first() -> None:
    assert read("a Well met.", "u Hello.") == Transcript("Well met.", (), "Hello.")


def test_messages_in_a_row_are_one() -> None:
    got = read("u Hello.", "u You!", "a Hi.", "a Yes?", "u Wares?", "u Now.")
    assert got == Transcript("", (Answered("Hello.\nYou!", "Hi.\nYes?"),), "Wares?\nNow.")


def test_system_messages_are_the_scene_wherever_they_stand() -> None:
    got = read("s It rains.", "u Hello.", "a Hi.", "s It is late.", "u Wares?", "s [Go on.]")
    assert (got.scene, got.line) == (("It rains.", "It is late.", "[Go on.]"), "Wares?")


def test_examples_are_no_scene() -> None:
    example = Message("system", "Hey.", "example_assistant")
    assert transcript_of([example, Message("user", "Hello.")], "Mira").scene == ()


def test_the_character_s_name_before_a_reply_is_no_part_of_it() -> None:
    assert read("u Hello.", "a Mira Holt: Hi.", "u Wares?").answered[0].reply == "Hi."


@pytest.mark.parametrize("sent", [("a Hi.",), ("u Hello.", "a Hi."), ("s It rains.",)])
def test_somebody_must_be_spoken_to(sent: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequestError, match="user"):
        read(*sent)


def test_of_a_long_talk_the_newest_is_brought() -> None:
    half = "x" * (MAX_BROUGHT_CHARACTERS // 2)
    got = read(f"u {half}", f"a {half}", "u Yes?", "a No.", "u Wares?")
    newest = [Line(Speaker.PLAYER, "Yes?"), Line(Speaker.CHARACTER, "No.")]
    assert got.brought[-2:] == newest
    assert sum(len(line.text) for line in got.brought) <= MAX_BROUGHT_CHARACTERS


def test_of_many_lines_the_newest_are_brought() -> None:
    talk = [f"{role} {number}" for number in range(MAX_BROUGHT_LINES) for role in "ua"]
    brought = read(*talk, "u Wares?").brought
    assert (len(brought), brought[-1].text) == (MAX_BROUGHT_LINES, str(MAX_BROUGHT_LINES - 1))


def test_a_long_scene_is_cut() -> None:
    got = read(f"s {'x' * MAX_SCENE_CHARACTERS}", "s y", "u Hello.")
    assert [len(text) for text in got.scene] == [MAX_SCENE_CHARACTERS]
