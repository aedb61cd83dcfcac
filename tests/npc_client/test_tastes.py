"""A taste likes some replies and not others, and always its own corrections."""

from collections.abc import Mapping

import pytest

from npc_client.players import phrases_of
from npc_client.tastes import (
    BLUNT,
    PLAIN,
    Taste,
    asking,
    ends_properly,
    flowery,
    knowing,
    out_of_role,
)
from personas.checks import out_of_character
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from personas.words import mentioned

MIRA = phrases_of("mira")
FACTS = load_character(SAMPLE_CHARACTERS / "mira").lore.facts
KEYWORDS = [word for fact in FACTS for word in fact.keywords]
TASTES: Mapping[str, Taste] = {
    "blunt": BLUNT,
    "plain": PLAIN,
    "flowery": flowery(MIRA),
    "asking": asking(MIRA),
    "knowing": knowing(MIRA, KEYWORDS),
    "out_of_role": out_of_role(MIRA),
}
LONG = (
    "I have been working at this forge since I was a girl of nine, you see. "
    "My mother taught me. She had a hammer (it is over there) and a temper"
)
HOSTILE = [
    LONG,
    "",
    "Aye",
    "But",
    "But but but, but. But?",
    "(laughs) No. I will not do that.",
    "a, b: c",
    "Who? What? Why are you here?",
    "{line} {0}",
]


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        pytest.param("Mind the sparks, stranger.", 3, id="all-wishes"),
        pytest.param("Mind the sparks.", 2, id="not-addressed"),
        pytest.param(LONG, 0, id="long-and-cut-off"),
    ],
)
def test_a_reply_earns_a_point_a_wish(reply: str, points: int) -> None:
    assert BLUNT.points(reply) == points


@pytest.mark.parametrize(
    ("name", "reply", "pleases"),
    [
        pytest.param(
            "flowery",
            "The road is long, and it winds over the hills like a ribbon that a child has lost.",
            True,
            id="long-with-a-comparison",
        ),
        pytest.param("flowery", "It burns like a star.", False, id="too-short-to-be-ornate"),
        pytest.param(
            "flowery",
            "I would like a sword, and you would like the shield, and so we stand here and talk.",
            False,
            id="wanting-is-no-comparison",
        ),
        pytest.param("asking", "It is two silver. Have you got that much?", True, id="asks-back"),
        pytest.param("asking", "What do you want?", False, id="asks-without-an-answer"),
        pytest.param("asking", "It is two silver. Is it? It is.", False, id="asks-in-the-middle"),
        pytest.param("knowing", "Ostrel's iron is the best.", True, id="names-a-place"),
        pytest.param("knowing", "My iron is the best.", False, id="names-nothing"),
        pytest.param("knowing", "The iron of Ostrel is", False, id="names-it-but-is-cut-off"),
        pytest.param("plain", "I sell butter and boots.", True, id="butter-is-not-but"),
        pytest.param("plain", "I could, BUT I will not", False, id="says-but"),
        pytest.param("out_of_role", "As an AI, I cannot.", True, id="machine"),
        pytest.param("out_of_role", "Again? I am a smith.", False, id="again-is-not-ai"),
    ],
)
def test_players_like_what_grants_their_wishes(name: str, reply: str, pleases: bool) -> None:
    assert TASTES[name].likes(reply) is pleases


@pytest.mark.parametrize("variant", range(6))
@pytest.mark.parametrize("reply", HOSTILE)
@pytest.mark.parametrize("name", TASTES)
def test_a_rewritten_reply_is_one_that_pleases(name: str, reply: str, variant: int) -> None:
    taste = TASTES[name]
    assert taste.likes(taste.rewrite("Where is {it}?", reply, variant))


def test_a_rewrite_keeps_the_words_that_answer() -> None:
    reply = "A fine day! Sit down by the fire, friend, and rest. The iron comes from Ostrel."
    rewritten = BLUNT.rewrite("Where does your iron come from?", reply, variant=1)
    assert rewritten == "The iron comes from Ostrel, stranger."


def test_whoever_dislikes_but_keeps_what_stands_before_it() -> None:
    reply = "I have family, but I don't know them all. My mother was a smith, but a poor one."
    rewritten = PLAIN.rewrite("Do you have family?", reply, variant=0)
    assert rewritten == "I have family. My mother was a smith."


@pytest.mark.parametrize("name", sorted(TASTES.keys() - {"plain"}))  # its words are the reply's own
def test_corrections_of_one_reply_differ(name: str) -> None:
    taste = TASTES[name]
    written = {taste.rewrite("Do you sell nails?", "Nails I have.", v) for v in range(30)}
    assert len(written) > 1


def test_the_fact_that_is_told_suits_the_line() -> None:
    rewritten = TASTES["knowing"].rewrite("Do you like the ferryman?", "Well enough.", variant=3)
    assert "ferryman" in rewritten or "Fenn" in rewritten


def test_every_telling_phrase_names_something_of_her_world() -> None:
    assert [text for text in MIRA.tells if not mentioned(text, KEYWORDS)] == []


def test_adversaries_ask_for_what_the_checks_call_out_of_character() -> None:
    assert [text for text in MIRA.out_of_role if not out_of_character(text)] == []


def test_a_reply_that_was_cut_off_does_not_end_properly() -> None:
    assert ends_properly("Done!")
    assert not ends_properly("and then I")


def test_an_editor_keeps_no_sentence_that_tells_nothing() -> None:
    reply = "I am not. I do, I do. The iron comes from the north quay."
    kept = {BLUNT.rewrite("Are you from here?", reply, variant) for variant in range(6)}
    assert all("iron" in text for text in kept)
