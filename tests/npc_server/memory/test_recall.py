"""What comes to mind when the player says a line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feedback_store.memory_records import Finder, Memories, Span, Summary
from npc_server.memory.recall import UNASKED, recollections
from tests.support.statements import DAY, memories, told

LIFE = (
    "I come from Harrowfield.",
    "My brother is called Tobin.",
    "My horse is called Bramble.",
    "I am afraid of spiders.",
    "I lost my silver ring in the well.",
    "I travelled with a troupe of jugglers.",
    "My knee hurts when it rains.",
)


@pytest.mark.parametrize(
    ("line", "helping"),
    [
        ("What did I call my horse?", "Bramble"),
        ("Where do I come from?", "Harrowfield"),
        ("Do you know what frightens me?", "spiders"),
        ("With whom did I travel?", "jugglers"),
        ("Both of my knees hurt today.", "knee"),
    ],
)
def test_what_has_to_do_with_the_line_comes_first(line: str, helping: str) -> None:
    first = recollections(memories(*LIFE), line)[0]
    assert helping in first.text
    assert first.helps


def test_the_name_comes_to_mind_whatever_is_said() -> None:
    first = recollections(memories("My name is Ada.", *LIFE), "Where is my ring?")[0]
    assert (first.text, first.helps) == ("You are talking to Ada.", True)


def test_of_what_has_nothing_to_do_with_the_line_only_a_little_comes() -> None:
    found = recollections(memories(*LIFE), "A fine morning!")
    assert len(found) == UNASKED
    assert not any(one.helps for one in found)


def test_what_was_just_said_helps_to_remember() -> None:
    found = recollections(memories(*LIFE), "Guess!", ["What is the name of your horse?"])
    assert "Bramble" in found[0].text


def test_who_overheard_says_so() -> None:
    (found,) = recollections(Memories(told("I am a thief.", heard_by="fenn")), "Hello.")
    assert found.text == 'You heard the player say: "I am a thief."'


def test_what_an_operator_wrote_is_told_as_it_is() -> None:
    (said,) = told("I am a thief.")
    edited = replace(said, text="The player is wanted in Kell.", finder=Finder.OPERATOR)
    assert recollections(Memories((edited,)), "Hello.")[0].text == "The player is wanted in Kell."


def test_a_summary_is_found_by_its_words() -> None:
    bread = Summary(
        "s", "session", "player", "mira", ("turn-1",), "They bought rye bread.", Span.PLAYER, DAY
    )
    known = Memories(told(*LIFE), (bread,))
    first = recollections(known, "How much was the rye?")[0]
    assert first.text == "You remember: They bought rye bread."
    assert (first.source, first.turn_ids) == ("summary:s", ("turn-1",))


def test_words_are_found_in_the_forms_of_the_language() -> None:
    known = memories("Ich habe zwei Hunde.", "Ich komme aus Kiel.", "Ich mag Äpfel.", language="de")
    assert "Hunde" in recollections(known, "Wie heißt mein Hund?", language="de")[0].text


def test_a_script_without_blanks_is_searched_as_well() -> None:
    known = memories("我喜欢苹果。", "我住在北京。", "我有两个女儿。")
    assert "苹果" in recollections(known, "你知道我喜欢什么苹果吗？")[0].text
