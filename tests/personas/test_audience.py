"""Who hears a line."""

from __future__ import annotations

from dataclasses import dataclass

from personas.audience import hearers, lines_heard


@dataclass(frozen=True)
class Said:
    text: str
    hearers: tuple[str, ...]


def test_all_who_are_present_hear_a_line() -> None:
    assert hearers(["mira"], ["fenn", "orsolo"]) == ("mira", "fenn", "orsolo")


def test_an_audience_takes_the_place_of_those_who_are_present() -> None:
    assert hearers(["mira"], ["fenn", "orsolo"], ["orsolo"]) == ("mira", "orsolo")


def test_a_whisper_is_heard_by_nobody_else() -> None:
    assert hearers(["mira"], ["fenn"], ["mira"]) == ("mira",)


def test_two_characters_that_talk_both_hear_it_once() -> None:
    assert hearers(["mira", "fenn"], ["fenn", "orsolo"]) == ("mira", "fenn", "orsolo")


def test_a_character_knows_the_lines_that_it_heard_alone() -> None:
    aloud, whisper = Said("Morning!", ("mira", "fenn")), Said("Not a word to him.", ("mira",))
    assert lines_heard("fenn", [aloud, whisper]) == (aloud,)
    assert lines_heard("mira", [aloud, whisper]) == (aloud, whisper)
