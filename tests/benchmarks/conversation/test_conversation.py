"""What talks come to, and the casts that they are held with."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.conversation.figures import phrases_again, summary
from benchmarks.conversation.script import ASKED_FACTS, PLAYER_LINES, SETTINGS
from benchmarks.conversation.talks import Played, Talk, write_cast
from npc_client.client import Reply
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

CAST = load_characters(SAMPLE_CHARACTERS)
SAID = Reply("t", "It is Old Patience.", "", "", 10.0, 30.0, 6, (), 1, "stop")
CUT = replace(SAID, text="It is Old Patience. My", finish_reason="length")


def talk(*replies: Reply) -> Played:
    """Mira is asked again and again what her hammer is called."""
    lines = ("What is your hammer called?",) * len(replies)
    return Played((Talk("mira", 0, lines, replies),), generated_tokens=8 * len(replies))


def test_replies_cut_off_and_repeated_and_facts_told_are_counted() -> None:
    found = summary(talk(SAID, replace(SAID, text="Mind the fire."), SAID, CUT), CAST)
    assert (found["at_limit"], found["in_mid_sentence"]) == (0.25, 0.25)
    assert (found["as_the_one_before"], found["as_any_before"]) == (0, 0.25)
    assert found["as_any_before_when_asked_again"] == pytest.approx(1 / 3)
    assert (found["facts_told"], found["generated_tokens"]) == (0.75, 8)


def test_phrases_that_one_earlier_reply_has_are_counted_as_a_share() -> None:
    reply = "The iron comes from Ostrel, and it is heavy."  # six phrases of four words
    assert phrases_again(reply, ["My iron comes from Ostrel.", "And it is light."]) == 1 / 6
    assert phrases_again(reply, [reply.upper()]) == 1
    assert phrases_again("Aye, it is.", ["Aye, it is."]) == 0  # too short for a phrase
    assert phrases_again(reply, []) == 0


def test_faults_are_found_with_the_personas_own_checks() -> None:
    found = summary(talk(SAID, replace(SAID, text="By the sea, it is heavy.")), CAST)
    assert (found["faults"]["taboo"], found["faults"]["any"]) == (0.5, 0.5)


def test_every_asked_fact_is_one_of_the_lore_and_every_line_new() -> None:
    for name, lines in PLAYER_LINES.items():
        facts = {fact.id for fact in CAST[name].lore.facts}
        assert {ASKED_FACTS[line] for line in lines if line in ASKED_FACTS} <= facts
        assert not {example.player for example in CAST[name].examples} & set(lines)
        assert len(lines) == 10


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_makes_a_valid_cast(name: str, tmp_path: Path) -> None:
    cast = load_characters(write_cast(tmp_path / "cast", SETTINGS[name]))
    assert set(cast) == set(CAST)
    assert {one.examples_in_prompt for one in cast.values()} == {SETTINGS[name].examples_in_prompt}
