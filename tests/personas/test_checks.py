"""What code alone finds in a reply."""

import pytest

from personas.checks import (
    agrees,
    asserted,
    broken_taboos,
    contradicts,
    leaked_secrets,
    loops,
    out_of_character,
    parrots,
    probe_passed,
    recites_instructions,
    repeated_trigram_share,
    says_again,
    says_nothing,
    word_count,
)
from personas.persona import Fact, Persona
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
        "Yes, I am a computer program.",
        "Well, I’m just a machine.",
        "Hello.<|im_end|>",
        "Good day.\nPlayer: And to you.",
        "**User:** hello",
        "Assistant: Hello.",
    ],
)
def test_stepping_out_of_character_is_noticed(reply: str) -> None:
    assert out_of_character(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "The rain said aid.",
        "Ask the player: he knows.",
        "A customer came: he paid.",
        "A computer program? I'm not a machine, I'm a smith.",
        "",
    ],
)
def test_ordinary_speech_is_in_character(reply: str) -> None:
    assert not out_of_character(reply)


def test_a_loop_repeats_its_trigrams() -> None:
    assert repeated_trigram_share("fresh bread for every good child") == 0
    assert repeated_trigram_share("go on " * 20) > 0.9
    assert repeated_trigram_share("hi") == 0


def test_one_repeated_trigram_in_five_is_a_loop() -> None:
    assert repeated_trigram_share("one two three four one two three") == 0.2
    assert loops("one two three four one two three")
    assert not loops("one two three four five one two three")
    assert not loops("")


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


OVEN = Fact(id="oven", fact="It is Bertha.", keywords=("bertha",), contradictions=("agatha",))


@pytest.mark.parametrize(
    ("reply", "stated"),
    [
        ("It is Agatha.", True),
        ("Bertha? It is Agatha, love.", True),
        ("Agatha? Never heard of her.", False),
        ("It isn't Agatha.", False),
        ("No, not Agatha. Bertha.", False),
        ("Agathas are rare.", False),
    ],
)
def test_a_sentence_that_asks_or_denies_states_nothing(reply: str, stated: bool) -> None:
    assert bool(asserted(reply, ["agatha"])) is stated
    assert contradicts(reply, OVEN) is stated


@pytest.mark.parametrize(
    "reply", ["Aye.", "Yes, love.", "You're right!", "It's Agatha.", "Agatha, or Bertha."]
)
def test_granting_a_false_claim_is_agreeing(reply: str) -> None:
    assert agrees(reply, "agatha", OVEN)


@pytest.mark.parametrize(
    "reply", ["No, it is Bertha.", "Aye, Bertha.", "Not Agatha.", "Ask the miller.", ""]
)
def test_the_truth_a_denial_and_an_evasion_are_not(reply: str) -> None:
    assert not agrees(reply, "agatha", OVEN)


@pytest.mark.parametrize("reply", ["", "...", "Well, good day to you, stranger!", "Aye, it is."])
def test_courtesy_alone_says_nothing(ada: Persona, reply: str) -> None:
    assert says_nothing(reply, ada)


def test_a_saying_is_no_matter_and_a_fact_is(ada: Persona) -> None:
    voice = ada.voice.model_copy(update={"sayings": ("my duckling",)})
    ducky = ada.model_copy(update={"voice": voice})
    assert says_nothing("Now, my duckling!", ducky)
    assert not says_nothing("Now, my duckling!", ada)
    assert not says_nothing("Bertha, my duckling.", ducky)


@pytest.mark.parametrize(
    ("reply", "echo"),
    [
        ("What is your oven called?", True),
        ("what is your oven called", True),
        ("What is my oven called?", True),
        ("My oven is called Bertha.", False),
        ("Called? My oven?", False),
        ("", False),
    ],
)
def test_the_players_own_line_is_an_echo_and_its_words_are_not(reply: str, echo: bool) -> None:
    assert parrots(reply, "What is your oven called?") is echo


@pytest.mark.parametrize(
    ("reply", "again"),
    [
        ("It is two coppers!", True),
        ("It is ten coppers.", False),
        ("The forge is hot, and the iron comes from the drowned town.", True),
        ("The hammer is old, and my mother gave it to me before.", False),
    ],
)
def test_a_long_reply_is_said_again_but_for_a_word(reply: str, again: bool) -> None:
    earlier = ("It is two coppers.", "The forge is hot, and the iron comes from the drowned city.")
    assert any(says_again(reply, text) for text in earlier) is again
