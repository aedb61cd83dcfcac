"""What is allowed and hardly meant is told at its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from personas.advice import advice_on, advice_on_world
from personas.persona_files import SAMPLE_CHARACTERS, character_folders, load_character
from personas.world_files import read_world

WriteCharacter = Callable[..., Path]


def advice(folder: Path, *cast: str) -> list[str]:
    found = advice_on(load_character(folder), folder, {"ada", *cast})
    return [str(what).removeprefix(f"{folder}/") for what in found]


def test_a_relationship_to_nobody_is_told_with_the_nearest(
    write_character: WriteCharacter, card: str
) -> None:
    folder = write_character(card=f"{card}relationships:\n  - {{to: bab, text: You like Bob.}}\n")
    what = "relationships[0].to: nobody of the cast is called 'bab'; did you mean 'bob'?"
    assert advice(folder, "bob") == [f"persona.yaml:12:6: {what}"]


def test_the_player_and_others_of_the_cast_are_somebody(
    write_character: WriteCharacter, card: str
) -> None:
    known = "[{to: player, text: Hm.}, {to: bob, text: Oh.}]"
    assert advice(write_character(card=f"{card}relationships: {known}\n"), "bob") == []


def test_what_is_said_against_a_fact_is_told(
    write_character: WriteCharacter, card: str, lore: str
) -> None:
    folder = write_character(
        card=f"{card}greetings: [My oven is called Agatha.]\n",
        lore=lore.replace("[bertha]}", "[bertha], contradictions: [agatha]}"),
    )
    what = "greetings[0]: says what fact 'oven' rules out; keep one of them"
    assert advice(folder) == [f"persona.yaml:11:13: {what}"]


def test_what_is_denied_is_no_contradiction(
    write_character: WriteCharacter, card: str, lore: str
) -> None:
    folder = write_character(
        card=f"{card}greetings: [My oven is not called Agatha.]\n",
        lore=lore.replace("[bertha]}", "[bertha], contradictions: [agatha]}"),
    )
    assert advice(folder) == []


def test_a_fact_that_no_probe_asks_about_is_told(
    write_character: WriteCharacter, lore: str
) -> None:
    more = "  - {id: shop, fact: Your shop is blue., keywords: [blue]}\nsecrets:"
    folder = write_character(lore=lore.replace("secrets:", more))
    what = "facts[1].id: no probe asks about it, so the gate would not notice its loss"
    assert advice(folder) == [f"lore.yaml:3:6: {what}"]


@pytest.mark.parametrize("folder", character_folders(SAMPLE_CHARACTERS), ids=lambda path: path.name)
def test_the_sample_cast_needs_no_advice(folder: Path) -> None:
    assert advice_on(load_character(folder), folder, {"mira", "fenn", "orsolo"}) == []


def with_entries(lore: str, *entries: str) -> str:
    return lore + "entries:\n" + "".join(f"  - {one}\n" for one in entries)


def test_lore_for_nobody_of_the_cast_is_told_with_the_nearest(
    write_character: WriteCharacter, lore: str
) -> None:
    entry = "{id: rye, text: Rye is dear., keys: [rye], audience: [ada, bab]}"
    what = "entries[0].audience[1]: nobody of the cast is called 'bab'; did you mean 'bob'?"
    folder = write_character(lore=with_entries(lore, entry))
    assert [one.split(" ", 1)[1] for one in advice(folder, "bob")] == [what]


def test_own_lore_that_its_character_is_not_told_is_lost(
    write_character: WriteCharacter, lore: str
) -> None:
    entry = "{id: rye, text: Rye is dear., keys: [rye], audience: [bob]}"
    (told,) = advice(write_character(lore=with_entries(lore, entry)), "bob")
    assert "entries[0].audience: leaves out 'ada', so nobody is told it" in told


def test_lore_of_a_world_for_nobody_of_the_cast_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "saltmere"
    folder.mkdir()
    (folder / "world.yaml").write_text("{id: saltmere, name: Saltmere}")
    entry = "{id: rye, text: Rye is dear., keys: [rye], audience: [ada, bob]}"
    (folder / "lore.yaml").write_text(f"entries:\n  - {entry}\n")
    world, _ = read_world(folder, tmp_path)
    assert world is not None
    (told,) = advice_on_world(world, folder, {"ada"})
    assert str(told).endswith("entries[0].audience[1]: nobody of the cast is called 'bob'")
    assert advice_on_world(world, folder, {"ada", "bob"}) == []
