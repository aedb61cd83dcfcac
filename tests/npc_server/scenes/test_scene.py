"""Who is in a scene, and what that means for what is said there."""

from __future__ import annotations

import pytest

from npc_server.errors import InvalidRequestError, UnknownMemberError
from npc_server.scenes.scene import MAX_PLAYERS, Scene
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

CAST = load_characters(SAMPLE_CHARACTERS)


def scene_of(*characters: str, place: str = "") -> Scene:
    made = Scene("s1", place)
    for character in characters:
        made.add_character(CAST[character])
    return made


def test_players_without_a_name_are_told_apart() -> None:
    made = scene_of("mira")
    names = [made.add_player(f"x{n}", "", True).name for n in range(MAX_PLAYERS)]
    assert len(set(names)) == MAX_PLAYERS
    with pytest.raises(InvalidRequestError, match="at most 8 players"):
        made.add_player("x9", "", True)


def test_a_character_is_told_where_it_is_and_with_whom() -> None:
    made = scene_of("mira", "fenn", place="in the tavern")
    made.add_player("x1", "Anna", True)
    told = made.surroundings(made.member("mira"))
    assert told == "You are in the tavern, with Fenn Tarrow and Anna."


def test_a_character_that_comes_back_knows_what_it_heard_before() -> None:
    made = scene_of("mira", "fenn")
    member = made.remove_character("mira")
    assert made.add_character(CAST["mira"]) is member


def test_consent_once_withdrawn_does_not_come_back() -> None:
    made = scene_of("mira")
    made.add_player("x1", "Anna", True)
    assert made.consent
    made.add_player("x2", "Bela", False)
    made.remove_player("x2")
    assert not made.consent


def test_a_line_that_characters_say_among_themselves_is_of_the_player_who_spoke_last() -> None:
    made = scene_of("mira")
    made.add_player("x1", "Anna", True)
    bela = made.add_player("x2", "Bela", True)
    assert made.credited_player.name == "Anna"
    made.say(bela, "Hello.", ["mira"])
    assert made.credited_player is bela
    made.remove_player("x2")
    assert made.credited_player.name == "Anna"


def test_whoever_is_not_there_is_named_with_those_who_are() -> None:
    made = scene_of("mira", "fenn")
    with pytest.raises(UnknownMemberError, match="known: mira, fenn"):
        made.hearers(["orsolo"], [])
    with pytest.raises(InvalidRequestError, match="mira is the last character here"):
        scene_of("mira").remove_character("mira")
