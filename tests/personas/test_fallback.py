"""What is said where a reply is withheld."""

import pytest

from personas.fallback import default_lines, fallback_line
from personas.faults import Fault, ReplyInContext, find_faults
from personas.guarded_stream import GUARDED
from personas.injections import languages_with_lists
from personas.persona import Persona


def test_a_character_says_its_own_lines(ada: Persona) -> None:
    own = ada.model_copy(update={"fallback_lines": ("One.", "Two.")})
    assert [fallback_line(own, seed) for seed in range(3)] == ["One.", "Two.", "One."]


def test_what_was_said_already_is_not_said_again_while_there_is_another(ada: Persona) -> None:
    own = ada.model_copy(update={"fallback_lines": ("One.", "Two.")})
    assert fallback_line(own, 0, ["One."]) == "Two."
    assert fallback_line(own, 0, ["One.", "Two."]) == "One."


def test_a_language_without_lines_gets_english_ones() -> None:
    assert default_lines("sw") == default_lines("en") == default_lines("")


@pytest.mark.parametrize("code", languages_with_lists())
def test_the_lines_of_a_language_have_no_fault_themselves(ada: Persona, code: str) -> None:
    lines = default_lines(code)
    assert len(set(lines)) >= 3
    speaker = ada.model_copy(update={"language": code})
    among = GUARDED | {Fault.CUT_OFF, Fault.EMPTY}
    for line in lines:
        assert not any(find_faults(ReplyInContext(speaker, line), among).values())
