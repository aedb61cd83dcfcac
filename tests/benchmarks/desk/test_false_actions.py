"""What counts as a false and as a missed action."""

from __future__ import annotations

from pathlib import Path

from benchmarks.desk.false_actions import Deed, Said, figures, lines_to_say, write_cast
from personas.actions import NO_ACTION
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.world_files import Worlds, worlds_beside


def deed(expected: str, action: str, *, refused: bool = False) -> Deed:
    return Deed(Said("mira", "A line.", expected, 0), action, refused)


def test_half_of_the_lines_ask_for_an_action() -> None:
    lines = list(lines_to_say(2))
    assert len(lines) >= 200
    assert sum(one.expected == NO_ACTION for one in lines) * 2 == len(lines)


def test_every_action_that_is_asked_for_is_declared(tmp_path: Path) -> None:
    cast = load_characters(write_cast(tmp_path), Worlds(worlds_beside(SAMPLE_CHARACTERS)))
    declared = {name: {one.name for one in persona.actions} for name, persona in cast.items()}
    asked = {(one.character, one.expected) for one in lines_to_say(1)}
    assert all(what in {*declared[who], NO_ACTION} for who, what in asked)


def test_an_action_unasked_is_false() -> None:
    found = figures([deed("mend", "mend"), deed("none", "mend"), deed("none", "none")])
    assert found["false_actions"].value == 0.5


def test_nothing_or_another_where_one_was_asked_is_missed() -> None:
    deeds = [deed("mend", "mend"), deed("mend", "none"), deed("mend", "sing"), deed("none", "none")]
    assert figures(deeds)["missed_actions"].value == 2 / 3


def test_what_the_words_refuse_is_not_missed() -> None:
    deeds = [deed("mend", "mend"), deed("mend", "none", refused=True), deed("none", "none")]
    assert figures(deeds)["missed_actions"].value == 0
