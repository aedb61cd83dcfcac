"""Which entries fire: by what was said, by how things stand, by what was told before, by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from personas.lore.entries import Entry
from personas.lore.firing import Occasion, Outcome, Reason, Rules, fire
from personas.lore.shelf import Shelf, Vectors
from personas.variables import Value

MILL: dict[str, Any] = {"text": "The mill stands still.", "keys": ("mill",)}


def entry(name: str = "mill", **fields: Any) -> Entry:
    return Entry.model_validate({"id": name, **(fields if "text" in fields else MILL | fields)})


def at(*lines: str, turn: int = 0, told: Sequence[int] = (), **fields: Any) -> Occasion:
    """A moment; the newest line comes first, `told` are the turns the entry `mill` was told at."""
    values: dict[str, Value] = {"quest": 1}
    return Occasion("mira", lines, values, turn, {"w/mill": told}, **fields)


def fired(entries: Sequence[Entry], occasion: Occasion, **rules: Any) -> list[str]:
    outcome = fire([Shelf("w", entries)], occasion, Rules(**rules))
    return [firing.entry.id for firing in outcome.fired]


def outcome_of(one: Entry, occasion: Occasion) -> Outcome:
    return fire([Shelf("w", [one])], occasion, Rules())


@pytest.mark.parametrize(
    ("fields", "line", "expected"),
    [
        ({}, "Who owns the mill?", True),
        ({}, "Who owns the windmill?", False),
        ({"secondary_keys": ("flour", "bread")}, "The mill!", False),
        ({"secondary_keys": ("flour", "bread")}, "Bread from the mill", True),
        ({"secondary_keys": ("flour", "bread"), "logic": "all"}, "Bread from the mill", False),
        ({"secondary_keys": ("flour", "bread"), "logic": "not_any"}, "Bread at the mill", False),
        ({"secondary_keys": ("flour", "bread"), "logic": "not_all"}, "Bread at the mill", True),
        ({"keys": (), "patterns": (r"\bmill(er|stone)?s?\b",)}, "the MILLSTONES", True),
        ({"keys": (), "constant": True}, "Hello.", True),
        ({"when": "quest == 1"}, "the mill", True),
        ({"when": "quest == 2"}, "the mill", False),
        ({"audience": ("mira",)}, "the mill", True),
        ({"audience": ("fenn", "orsolo")}, "the mill", False),
    ],
)
def test_an_entry_fires_as_it_says(fields: dict[str, Any], line: str, expected: bool) -> None:
    assert bool(fired([entry(**fields)], at(line))) is expected


@pytest.mark.parametrize(("scan_lines", "expected"), [(None, []), (3, ["mill"]), (1, [])])
def test_lines_are_searched_as_far_back_as_the_entry_says(
    scan_lines: int | None, expected: list[str]
) -> None:
    lines = at("And then?", "It broke.", "The mill?")
    assert fired([entry(scan_lines=scan_lines)], lines, scan_lines=2) == expected


@pytest.mark.parametrize(
    ("turn", "told", "why"),
    [
        (0, [], ""),
        (1, [0], "sticky"),
        (2, [0], "sticky"),
        (2, [0, 1], "sticky"),
        (3, [0, 1, 2], "rests for 2 more turns"),
        (4, [0, 1, 2], "rests for 1 more turns"),
        (5, [0, 1, 2], ""),
        (6, [0, 1, 2, 5], "sticky"),
    ],
)
def test_an_entry_sticks_then_rests_then_may_fire_again(
    turn: int, told: list[int], why: str
) -> None:
    """It counts from when it fired: to be told again because it sticks renews nothing."""
    found = outcome_of(entry(sticky=2, cooldown=2), at("the mill", turn=turn, told=told))
    if why.startswith("rests"):
        assert why in found.held_back[0].why
    else:
        assert found.fired[0].reason == (why or "key")


def test_an_entry_waits_for_its_turn() -> None:
    late = entry(delay=2)
    assert [bool(fired([late], at("the mill", turn=turn))) for turn in range(4)] == [0, 0, 1, 1]


def test_chance_is_drawn_alike_for_the_same_moment_and_about_as_often_as_it_says() -> None:
    rare = entry(probability=30)
    moments = [at("the mill", turn=turn, conversation="c") for turn in range(900)]
    drawn, again = ([bool(fired([rare], one)) for one in moments] for _ in range(2))
    assert drawn == again
    assert 200 < sum(drawn) < 340


CHAIN = [
    entry("bread", text="Bread is dear since the mill broke.", keys=("bread",)),
    entry("mill", text="The mill waits for an axle.", keys=("mill",)),
    entry("axle", text="An axle needs good iron.", keys=("axle",)),
    entry("iron", text="Iron comes from Ostrel.", keys=("iron",)),
]


@pytest.mark.parametrize("recursion", [0, 1, 2, 3])
def test_entries_lead_to_others_as_often_as_the_rules_say(recursion: int) -> None:
    names = ["bread", "mill", "axle", "iron"][: recursion + 1]
    assert fired(CHAIN, at("Is there bread?"), recursion=recursion) == names


@pytest.mark.parametrize(
    ("place", "flag", "expected"),
    [(0, "prevent_recursion", ["bread"]), (1, "exclude_recursion", ["bread"])],
)
def test_an_entry_may_stay_out_of_recursion(place: int, flag: str, expected: list[str]) -> None:
    chain = list(CHAIN)
    chain[place] = chain[place].model_copy(update={flag: True})
    assert fired(chain, at("Is there bread?")) == expected


def test_entries_that_lead_to_each_other_end() -> None:
    circle = [entry("a", text="See b.", keys=("a",)), entry("b", text="See a.", keys=("b",))]
    assert fired(circle, at("a"), recursion=8) == ["a", "b"]


def test_of_too_many_entries_those_of_highest_priority_are_told_in_their_order() -> None:
    many = [entry(f"e{n}", keys=("mill",), priority=n % 3) for n in range(9)]
    assert fired(many, at("the mill"), most=4) == ["e1", "e2", "e5", "e8"]


def test_what_was_said_goes_before_what_entries_lead_to() -> None:
    assert fired(CHAIN, at("Is there bread and iron?"), most=2) == ["bread", "iron"]


def test_an_entry_is_found_by_another_of_another_file() -> None:
    own = Shelf("mira", [entry("axle", text="It is on your bench.", keys=("axle",))])
    found = fire([Shelf("w", CHAIN[1:2]), own], at("the mill"), Rules())
    assert [(f.source, f.reason, f.detail) for f in found.fired] == [
        ("w/mill", Reason.KEY, "mill"),
        ("mira/axle", Reason.RECURSION, "axle in w/mill"),
    ]


def test_what_holds_an_entry_back_is_told() -> None:
    held = outcome_of(entry(when="quest >= 2"), at("the mill")).held_back[0]
    assert held.why == "quest >= 2 does not hold; quest is 1"
    assert (held.firing.reason, held.firing.detail) == (Reason.KEY, "mill")


class Colours:
    """Knows two words, which mean different things."""

    def vectors(self, texts: Sequence[str]) -> Vectors:
        rows = [[float("red" in text), float("blue" in text)] for text in texts]
        return np.array(rows, np.float32)


def test_an_entry_fires_by_its_meaning_where_a_model_is_given() -> None:
    entries = [
        entry("blood", text="It is red.", by_meaning=True),
        entry("sky", text="It is blue.", by_meaning=True),
        entry("red", text="Nobody looks for this red.", keys=("x",)),
    ]
    shelf = Shelf("w", entries, embedder=Colours())
    found = fire([shelf], at("something red"), Rules()).fired
    assert [(one.entry.id, one.reason, one.detail) for one in found] == [
        ("blood", Reason.MEANING, "1.00")
    ]
    assert fired(entries, at("something red")) == []
