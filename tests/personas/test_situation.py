"""Situations: what a game reported, and what a character is told of it."""

from __future__ import annotations

import pytest

from personas.situation import (
    MAX_NOTES,
    GameNote,
    Mode,
    NotesRefusedError,
    Situation,
    situation_of,
    world_notes,
)
from personas.variables import Kind, Variable
from personas.world import World, WorldCard

WEATHER = Variable(
    name="weather",
    kind=Kind.ONE_OF,
    choices=("clear", "foggy"),
    default="clear",
    tell="The weather is {value}.",
)
NIGHT = Variable(name="night", kind=Kind.BOOL, default=False, tell="It is night.")
MILL = Variable(name="quest.mill", kind=Kind.INT, default=0)
WORLD = World(WorldCard(id="saltmere", name="Saltmere", variables=(WEATHER, NIGHT, MILL)))
RAIN, STORM = GameNote("It rains."), GameNote("It storms.", 5)


def told(situation: Situation) -> list[str]:
    return [note.text for note in world_notes(WORLD, situation)]


def test_what_is_as_by_default_is_not_told() -> None:
    assert told(Situation()) == []
    assert told(Situation({"weather": "foggy", "night": True})) == [
        "The weather is foggy.",
        "It is night.",
    ]
    assert told(Situation({"weather": "clear", "quest.mill": 2}, (STORM,))) == ["It storms."]


def test_the_state_has_every_variable() -> None:
    assert Situation({"night": True}).state(WORLD) == {
        "weather": "clear",
        "night": True,
        "quest.mill": 0,
    }
    assert Situation({"night": True}).state(None) == {}


def test_what_the_world_no_longer_takes_is_as_declared() -> None:
    before = Situation({"weather": "hail", "gone": 3, "quest.mill": 1})
    assert before.state(WORLD) == {"weather": "clear", "night": False, "quest.mill": 1}


@pytest.mark.parametrize(
    ("mode", "notes", "values"),
    [
        (Mode.APPEND, (RAIN, STORM), {"night": True, "quest.mill": 1}),
        (Mode.REPLACE, (STORM,), {"night": True, "quest.mill": 1}),
        (Mode.RESET, (STORM,), {"quest.mill": 1}),
    ],
)
def test_an_update_appends_replaces_or_resets(
    mode: Mode, notes: tuple[GameNote, ...], values: dict[str, object]
) -> None:
    after = Situation({"night": True}, (RAIN,)).after_update(mode, {"quest.mill": 1}, [STORM])
    assert (after.notes, after.values) == (notes, values)


def test_more_notes_than_are_told_at_once_are_refused() -> None:
    full = Situation().after_update(Mode.APPEND, {}, [RAIN] * MAX_NOTES)
    with pytest.raises(NotesRefusedError, match="65 notes would be told at once; at most 64"):
        full.after_update(Mode.APPEND, {}, [RAIN])


def test_a_situation_is_stored_and_read_back() -> None:
    situation = Situation({"night": True, "quest.mill": 2}, (RAIN, STORM))
    assert situation_of(situation.to_json()) == situation
    assert situation_of({}) == Situation()
