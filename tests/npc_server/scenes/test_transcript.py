"""What was said in a scene, and what of it each character heard."""

from __future__ import annotations

from npc_server.scenes.transcript import (
    Entry,
    as_read,
    heard_since,
    lines_since,
    listing,
    newest_that_fit,
)
from npc_server.sessions import Exchange, Take

ALL = ("mira", "fenn")


def of_anna(text: str, *hearers: str) -> Entry:
    return Entry("player 1", "Anna", text, hearers or ALL)


def of_fenn(*said: str) -> Entry:
    exchange = Exchange("Hello.")
    for number, text in enumerate(said):
        exchange.add(Take(f"t{number}", text))
    return Entry("fenn", "Fenn Tarrow", exchange, ALL)


def read(entries: list[Entry], character: str, start: int = 0, known: str = "") -> list[str]:
    return as_read(heard_since(entries, character, start), known)


def test_the_latest_line_is_plain_and_those_before_it_in_quotes() -> None:
    entries = [of_anna("Hello."), Entry("", "", "A bell rings.", ALL), of_fenn("Ha!")]
    assert read(entries, "mira") == [
        '[Anna says, "Hello."]',
        "[A bell rings.]",
        "[Fenn Tarrow speaks.]\nHa!",
    ]
    assert read(entries, "mira", 2) == ["[Fenn Tarrow speaks.]\nHa!"]


def test_whose_line_it_is_need_not_be_said_where_it_is_known() -> None:
    assert read([of_anna("Hello.")], "mira", known="player 1") == ["Hello."]


def test_a_character_does_not_hear_its_own_words_from_others() -> None:
    assert read([of_anna("Hello."), of_fenn("Ha!")], "fenn", known="player 1") == ["Hello."]


def test_a_whisper_is_heard_by_those_it_names_alone() -> None:
    entries = [of_anna("Not a word to him.", "mira")]
    assert len(heard_since(entries, "mira", 0)) == 1
    assert heard_since(entries, "fenn", 0) == []


def test_what_was_heard_is_what_counts_of_a_reply() -> None:
    (heard,) = heard_since([of_fenn("Ha!", "Hello, friend!")], "mira", 0)
    assert heard.text == "Hello, friend!"
    assert heard_since([of_fenn("")], "mira", 0) == []


def test_the_newest_lines_that_fit_are_read_and_the_last_one_always() -> None:
    lines = ["four of them here", "one", "two words"]
    assert newest_that_fit(lines, 3, lambda line: len(line.split())) == ["one", "two words"]
    assert newest_that_fit(lines, 1, lambda line: len(line.split())) == ["two words"]


def test_silence_is_counted_in_lines_of_others() -> None:
    entries = [of_anna("Hello."), of_fenn("Ha!"), Entry("", "", "A bell rings.", ALL)]
    assert lines_since(entries, "mira") is None
    assert lines_since(entries, "fenn") == 0
    assert lines_since(entries, "player 1") == 1


def test_names_are_listed_as_one_says_them() -> None:
    assert listing(["Fenn"]) == "Fenn"
    assert listing(["Fenn", "Orsolo", "Anna"]) == "Fenn, Orsolo and Anna"
