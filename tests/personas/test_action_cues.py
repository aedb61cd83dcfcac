"""Lines that speak of an action give it a lead."""

import pytest

from personas.action_cues import CHOSEN, NAMED, leads
from personas.actions import Action, Parameter
from personas.variables import Kind

ITEM = Parameter(name="item", kind=Kind.ONE_OF, choices=("axe", "plough", "other"))
MEND = Action(name="mend_item", parameters=(ITEM,))
HAND_OVER = Action(name="hand_over")


@pytest.mark.parametrize(
    ("line", "lead"),
    [
        ("Good morning.", 0),
        ("Would you mend it?", NAMED),
        ("I cannot lift this plough.", CHOSEN),
        ("Mend the plough.", NAMED + CHOSEN),
    ],
)
def test_its_name_and_its_choices_speak_for_an_action(line: str, lead: float) -> None:
    assert leads([MEND], line) == {"mend_item": lead}


def test_a_word_without_content_of_its_own_speaks_for_nothing() -> None:
    assert leads([HAND_OVER], "Come over here.") == {"hand_over": 0}


def test_choices_are_looked_for_in_the_character_s_language() -> None:
    axe = ITEM.model_copy(update={"choices": ("siekiera",)})
    mend = MEND.model_copy(update={"parameters": (axe,)})
    assert leads([mend], "Napraw mi siekier\u0119.", "pl") == {"mend_item": CHOSEN}
