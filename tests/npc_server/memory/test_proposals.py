"""What of the base model's answer is believed."""

from __future__ import annotations

import json

import pytest

from npc_server.memory.proposals import MOST, may_tell, proposals

LINE = "Mieszkam w małej chacie za młynem. Czy młyn jest czynny? Mam na imię Ada, proszę pani."


@pytest.mark.parametrize(
    ("quotes", "believed"),
    [
        (["Mieszkam w małej chacie za młynem."], ["Mieszkam w małej chacie za młynem."]),
        (["mieszkam w małej chacie"], ["Mieszkam w małej chacie za młynem."]),
        (["Mieszkam w dużej chacie za młynem."], []),
        (["Czy młyn jest czynny?"], []),
        (["Ada"], []),
        ([7, None, "Mam na imię Ada, proszę pani."], ["Mam na imię Ada, proszę pani."]),
    ],
    ids=["whole", "part", "invented", "question", "too short", "not all text"],
)
def test_only_what_stands_in_the_line_is_believed(
    quotes: list[object], believed: list[str]
) -> None:
    answer = json.dumps({"quotes": quotes})
    assert [one.text for one in proposals(answer, LINE)] == believed


@pytest.mark.parametrize("answer", ["", "No.", '{"quotes": ["Mieszkam', "[]", '{"quotes": 3}'])
def test_an_answer_out_of_form_proposes_nothing(answer: str) -> None:
    assert proposals(answer, LINE) == ()


def test_of_one_line_only_so_much_is_believed() -> None:
    line = " ".join(f"Widziałem dziś wieczorem {number} białe wilki." for number in range(2, 9))
    quotes = [f"Widziałem dziś wieczorem {number} białe wilki." for number in range(2, 9)]
    assert len(proposals(json.dumps({"quotes": quotes}), line)) == MOST


def test_a_question_alone_is_not_worth_asking_about() -> None:
    assert may_tell(LINE)
    assert not may_tell("Czy młyn jest dzisiaj czynny?")
    assert not may_tell("Dobrze.")
