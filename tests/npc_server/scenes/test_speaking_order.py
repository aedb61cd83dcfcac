"""Who speaks next in a scene, and why."""

from __future__ import annotations

from npc_server.scenes.speaking_order import (
    Because,
    Listener,
    Reason,
    names_in_cast,
    speakers,
)
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

CAST = load_characters(SAMPLE_CHARACTERS)
NAMES = names_in_cast(CAST)


def listeners(**silence: int | None) -> list[Listener]:
    return [Listener(CAST[who], NAMES[who], lines) for who, lines in silence.items()]


def answering(line: str, *addressed: str, most: int = 8, **silence: int | None) -> list[str]:
    return [bid.character for bid in speakers(listeners(**silence), line, addressed, most)]


def test_whoever_the_game_addresses_answers_whatever_the_line_says() -> None:
    assert answering("Fenn, hello!", "mira", mira=0, fenn=3) == ["mira"]


def test_everybody_who_is_named_answers_in_the_order_in_which_they_came() -> None:
    line = "Fenn! And you, Mira Holt!"
    assert answering(line, mira=1, orsolo=2, fenn=3) == ["mira", "fenn"]
    assert answering(line, mira=1, fenn=3, most=1) == ["mira"]


def test_a_line_about_something_it_knows_makes_a_character_speak() -> None:
    bid, *others = speakers(listeners(fenn=3, mira=1), "What of Old Patience?", (), 8)
    assert others == []
    assert bid.character == "mira"
    assert Reason(Because.RELEVANT, 3.0, "hammer") in bid.reasons


def test_of_characters_with_nothing_to_say_the_one_that_was_silent_for_longest_speaks() -> None:
    assert answering("Well?", mira=1, fenn=2) == ["fenn"]
    assert answering("Well?", mira=3, fenn=None) == ["fenn"]


def test_whoever_spoke_last_lets_others_speak() -> None:
    assert answering("Well?", mira=0, fenn=1) == ["fenn"]


def test_of_equal_ones_the_first_to_come_speaks() -> None:
    assert answering("Well?", fenn=None, mira=None) == ["fenn"]


def test_a_word_that_two_names_share_calls_neither() -> None:
    twins = {"one": CAST["mira"], "two": CAST["fenn"].model_copy(update={"name": "Fenn Holt"})}
    assert names_in_cast(twins) == {
        "one": ("Mira Holt", "Mira"),
        "two": ("Fenn Holt", "Fenn"),
    }
