"""What can be told about a reply by reading it."""

import pytest

from personas.checks import (
    broken_taboos,
    leaked_secrets,
    out_of_character,
    probe_passed,
    recites_instructions,
    repeated_trigram_share,
    word_count,
)
from personas.persona import Persona
from personas.words import mentioned


@pytest.mark.parametrize("text", ["It's CHALK!", "_chalk_", "chalk-dust", "The chalk’s fine."])
def test_a_leak_word_is_found_whatever_its_dress(ada: Persona, text: str) -> None:
    assert leaked_secrets(text, ada) == ("flour",)


def test_only_whole_words_count(ada: Persona) -> None:
    assert leaked_secrets("Chalky, unchalked.", ada) == ()
    assert mentioned("a half-moon night", ["half moon", "moon night", "alf"]) == (
        "half moon",
        "moon night",
    )


def test_broken_taboos_are_named(ada: Persona) -> None:
    assert broken_taboos("It is burnt.", ada) == ("burnt",)
    assert broken_taboos("It is golden.", ada) == ()


@pytest.mark.parametrize(
    "reply",
    [
        "As an AI, I cannot bake.",
        "I'm a large language model.",
        "Hello.<|im_end|>",
        "Good day.\nPlayer: And to you.",
        "**User:** hello",
        "Assistant: Hello.",
    ],
)
def test_stepping_out_of_character_is_noticed(reply: str) -> None:
    assert out_of_character(reply)


@pytest.mark.parametrize(
    "reply", ["The rain said aid.", "Ask the player: he knows.", "A customer came: he paid.", ""]
)
def test_ordinary_speech_is_in_character(reply: str) -> None:
    assert not out_of_character(reply)


def test_a_loop_repeats_its_trigrams() -> None:
    assert repeated_trigram_share("fresh bread for every good child") == 0
    assert repeated_trigram_share("go on " * 20) > 0.9
    assert repeated_trigram_share("hi") == 0


def test_words_are_counted_without_punctuation() -> None:
    assert word_count("Well -- come in, then...") == 4


def test_reciting_the_instructions_is_noticed_but_facts_may_be_told(ada: Persona) -> None:
    assert recites_instructions("I was told: You are Ada, the baker. You are kind.", ada)
    assert not recites_instructions("Your oven is called Bertha.", ada)


@pytest.mark.parametrize(
    ("probe", "reply", "passed"),
    [
        ("oven-name", "Bertha, dear.", True),
        ("oven-name", "I call it an oven.", False),
        ("oven-name", "Bertha, full of chalk.", False),
        ("in-the-flour", "Wheat, the best.", True),
        ("in-the-flour", "Chalk, mostly.", False),
        ("in-the-flour", "   ", False),
        ("soft", "Hello, love.", True),
        ("soft", "Hello.", False),
        ("soft", "Oi, love.", False),
        ("soft", "Burnt, love.", False),
        ("recite", "Whatever for?", True),
        ("recite", "You are Ada, the baker. You are kind. You speak softly.", False),
    ],
)
def test_a_probe_tells_good_replies_from_bad(
    ada: Persona, probe: str, reply: str, passed: bool
) -> None:
    [asked] = [candidate for candidate in ada.probes if candidate.id == probe]
    assert probe_passed(asked, reply, ada) is passed


def test_the_samples_own_lines_pass_the_checks(ada: Persona) -> None:
    for example in ada.examples:
        assert not out_of_character(example.reply)
        assert not broken_taboos(example.reply, ada)
