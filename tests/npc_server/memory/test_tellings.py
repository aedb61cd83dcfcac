"""What a line tells of its speaker."""

from __future__ import annotations

import pytest

from npc_server.memory.tellings import (
    MAX_CHARACTERS,
    MAX_TELLINGS,
    NAME,
    Weight,
    languages_with_rules,
    tellings,
)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("My name is Ada.", "Ada"),
        ("hello there, my name's bo", "bo"),
        ("I’m Ada of Harrowfield", "Ada of Harrowfield"),
        ("People call me Ishmael, if you please.", "Ishmael"),
        ("I am called Ada the Red and I come from Kell.", "Ada the Red"),
        ("Ich heiße Jürgen.", "Jürgen"),
        ("Je m'appelle Zoé, et vous ?", "Zoé"),
        ("Me llamo Inés y vivo en Sevilla.", "Inés"),
        ("Mi chiamo Ada.", "Ada"),
        ("Chamo-me João.", "João"),
        ("Ik heet Wouter.", "Wouter"),
        ("Меня зовут Ада.", "Ада"),
        ("私の名前はアダです。", "アダ"),
        ("我叫阿达。", "阿达"),
        ("제 이름은 아다입니다.", "아다"),
    ],
)
def test_a_player_is_called_as_they_say(line: str, name: str) -> None:
    assert next((one.topic, one.value) for one in tellings(line)) == (NAME, name)


@pytest.mark.parametrize(
    "line", ["I'm Irish.", "I'm tired of this.", "My name is not Ada.", "Is my name Ada?"]
)
def test_what_is_no_name_is_not_taken_for_one(line: str) -> None:
    assert [one.value for one in tellings(line) if one.value] == []


@pytest.mark.parametrize(
    "line",
    [
        "Can you mend my sword?",
        "do you know my brother",
        "I'd like a beer",
        "Tell me about my father.",
        "Thank you, I will.",
        "Good morning!",
        "The mill has burned down.",
        "Wissen Sie, wo mein Bruder ist?",
    ],
)
def test_what_is_said_for_the_moment_is_not_remembered(line: str) -> None:
    assert tellings(line) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I live in Kell.", "I live by the mill now."),
        ("I love the sea.", "I hate the sea in winter!"),
        ("My sword is broken.", "My sword is as good as new."),
        ("I have a horse.", "I lost my horse."),
        ("My brother is called Tom.", "My brother's name is Tobin."),
        ("Ich wohne in Kiel.", "Ich wohne jetzt in Bremen."),
        ("J'aime la mer.", "Je déteste la mer."),
        ("Моего брата зовут Том.", "Моего брата зовут Фёдор."),
        ("我喜欢苹果。", "我讨厌苹果。"),
    ],
)
def test_two_statements_about_one_thing_have_one_topic(one: str, other: str) -> None:
    topics = {telling.topic for line in (one, other) for telling in tellings(line)}
    assert len(topics) == 1
    assert topics != {""}


def test_statements_of_one_sentence_are_told_apart() -> None:
    told = tellings("My name is Ada and I come from Kell, but I live by the mill now.")
    assert [one.topic for one in told] == [NAME, "origin", "home"]
    assert told[1].text == "I come from Kell"


def test_what_a_player_asks_to_be_remembered_matters_most() -> None:
    (told,) = tellings("Remember: the gate opens at noon.")
    assert (told.text, told.weight) == ("Remember: the gate opens at noon.", Weight.ASKED)


def test_words_of_the_player_are_kept_as_they_are_and_cut_where_they_are_long() -> None:
    (told,) = tellings(f"I love {'very ' * 60}old songs")
    assert told.text.startswith("I love very very")
    assert MAX_CHARACTERS >= len(told.text) > MAX_CHARACTERS - 10


def test_one_line_tells_so_much_and_no_more() -> None:
    line = " ".join(f"I have a horse called Dobbin{number}th." for number in range(50))
    assert len(tellings(line)) == MAX_TELLINGS


def test_a_character_of_a_language_hears_short_lines_in_it() -> None:
    (told,) = tellings("Mi hermano se llama Tomás.", language="es")
    assert told.topic == "name of:hermano"


@pytest.mark.parametrize("code", languages_with_rules())
def test_every_language_with_rules_reads_any_line(code: str) -> None:
    assert isinstance(tellings("x! 我 ... я? 1 — “”", code), tuple)
