"""What a designer may declare of emotions and actions, and how mistakes are told."""

from pathlib import Path

import pytest

from personas.errors import PersonaError
from personas.persona_files import load_character
from personas.render import system_text
from tests.support.actors import CARD, PROBES, write_ada

EMOTIONS = CARD[CARD.index("emotions:") : CARD.index("actions:")]
PROBE = "{id: p, kind: fact, about: oven"
INSULT = "{id: p, kind: emotion, expect_emotion: angry"


def complaints(root: Path, card: str = CARD, probes: str = PROBES) -> list[str]:
    """What is wrong with Ada, without the places in lines."""
    folder = write_ada(root, card) / "ada"
    (folder / "probes.yaml").write_text(probes)
    with pytest.raises(PersonaError) as caught:
        load_character(folder)
    return [f"{one.field}: {one.what}" for one in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("label: glad", "label: angry", "emotions[1].label: 'angry' is used twice"),
        ("cue: glad", "cue: Furious", "emotions[1].cue: 'furious' is used twice"),
        (EMOTIONS, "emotions: [{label: glad, cue: glad}]\n", "emotions: one emotion is no choice"),
        (EMOTIONS, "emotion_first: true\n", "emotion_first: there are no emotions to tell first"),
        ("name: lock_door", "name: hand_over", "actions[1].name: 'hand_over' is used twice"),
        ("name: lock_door", "name: none", "actions[1]: is called 'none', which says that"),
        ("least: 0", "least: 10", "actions[0].parameters[1]: can have no value: least 10"),
        ("name: lock_door", "name: lock_door\n    when: day >", "actions[1].when: 'day >' ends"),
    ],
)
def test_a_mistake_is_placed(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    found = complaints(tmp_path, CARD.replace(old, new))
    assert [text[: len(complaint)] for text in found] == [complaint]


@pytest.mark.parametrize(
    ("probe", "complaint"),
    [
        (INSULT.replace("angry", "angri"), "has no emotion 'angri'; did you mean 'angry'?"),
        (INSULT.replace(", expect_emotion: angry", ""), "expect_emotion: key is missing"),
        (f"{PROBE}, expect_action: none", "expect_action: only a probe of kind action expects one"),
        ("{id: p, kind: action, expect_action: sing", "it has hand_over, lock_door, none"),
    ],
)
def test_a_probe_expects_what_the_character_has(tmp_path: Path, probe: str, complaint: str) -> None:
    (found,) = complaints(tmp_path, probes=f'probes: [{probe}, ask: "Well?"}}]\n')
    assert complaint in found


def test_a_condition_asks_for_what_the_world_declares(tmp_path: Path) -> None:
    card = CARD.replace("name: lock_door", "name: lock_door\n    when: night")
    (found,) = complaints(tmp_path, card)
    assert found.startswith("actions[1].when: ")
    assert "as the persona names no world" in found


def test_an_occasion_is_told_to_the_character_and_without_one_nothing_is(tmp_path: Path) -> None:
    plain = system_text(load_character(write_ada(tmp_path / "a") / "ada"))
    card = CARD.replace("name: lock_door", "name: lock_door\n    occasion: it gets dark.")
    told = system_text(load_character(write_ada(tmp_path / "b", card) / "ada"))
    assert "lock door" not in plain
    assert "You lock door when it gets dark." in told
