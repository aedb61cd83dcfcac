"""The list of unsafe words finds what it is for and nothing that games say."""

import pytest

from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.unsafe import unsafe


@pytest.mark.parametrize(
    "reply", ["Go kill yourself!", "Why don't you HANG YOURSELF, then?", "I know where you live."]
)
def test_urging_and_threats_are_found(reply: str) -> None:
    assert unsafe(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Kill the rats in my cellar and I will pay you.",
        "The dyke broke, and water came in by a chink in the wall.",
        "Hang your cloak there. Cut the rope yourself.",
        "I will end you, bandit!",
    ],
)
def test_what_a_game_needs_is_left_alone(reply: str) -> None:
    assert unsafe(reply) == ()


def test_no_sample_character_says_any_of_it() -> None:
    for persona in load_characters(SAMPLE_CHARACTERS).values():
        assert unsafe(" / ".join(example.reply for example in persona.examples)) == ()
