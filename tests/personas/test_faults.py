"""Every fault is found, and the gravest is named."""

import pytest

from personas.faults import Fault, ReplyInContext, find_faults, gravest
from personas.guardrails import Guardrails
from personas.persona import Fact, Persona

OVEN = Fact(id="oven", fact="It is Bertha.", keywords=("bertha",), contradictions=("agatha",))
CLEAN = "Warm from the oven, love."
FAULTY = {
    Fault.LEAK: "It is half chalk.",
    Fault.UNSAFE: "Go and hang yourself.",
    Fault.BLOCKED: "By Zorn, it is warm.",
    Fault.OUT_OF_CHARACTER: "As an AI, I cannot bake.",
    Fault.RECITES: "I was told: You are Ada, the baker. You are kind.",
    Fault.TABOO: "It is burnt.",
    Fault.CONTRADICTION: "Her name is Agatha.",
    Fault.EMPTY: " ... ",
    Fault.TOO_SHORT: "Aye.",
    Fault.SAID_BEFORE: "No bread today!",
    Fault.LOOP: "On and on and on and on and on.",
    Fault.NO_CONTENT: "Well now, good day to you.",
    Fault.PARROT: "What is it called?",
    Fault.TOO_MANY_SENTENCES: "Bread. Rolls. Cakes.",
    Fault.CUT_OFF: "Warm from the oven, and then I",
}


def found_in(ada: Persona, reply: str) -> dict[Fault, bool]:
    """All faults are looked for."""
    earlier = ("No bread today.",)
    guarded = ada.model_copy(update={"guardrails": Guardrails(blocked_words=("zorn",))})
    at = ReplyInContext(guarded, reply, "What is it called?", earlier, OVEN)
    return find_faults(at, set(Fault))


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_is_found(ada: Persona, fault: Fault) -> None:
    assert found_in(ada, FAULTY[fault])[fault]


def test_a_good_reply_has_no_fault(ada: Persona) -> None:
    assert gravest(found_in(ada, CLEAN)) is None


def test_the_gravest_fault_comes_first_wherever_it_stands(ada: Persona) -> None:
    assert gravest(found_in(ada, "Burnt. As an AI. Chalk.")) is Fault.LEAK
    assert gravest({Fault.LOOP: True, Fault.TABOO: True, Fault.LEAK: False}) is Fault.TABOO


def test_only_what_is_looked_for_is_found(ada: Persona) -> None:
    assert find_faults(ReplyInContext(ada, "Burnt chalk."), {Fault.TABOO}) == {Fault.TABOO: True}
