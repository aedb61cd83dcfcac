"""Entries of both dialects say the same, and keep what we do not know of them."""

from __future__ import annotations

from typing import Any

import pytest

from personas.cards.book import (
    CARD_BOOK,
    WORLD_INFO,
    Entry,
    Logic,
    card_book,
    changed_entry,
    entry_of,
    unused_of,
    world_info,
)
from personas.errors import CardError


def in_card(**fields: Any) -> Entry:
    return entry_of(card_book({"entries": [fields]}, "book"), "0", "book")


def in_world(**fields: Any) -> Entry:
    return entry_of(world_info({"entries": {"7": fields}}, "world"), "7", "world")


def test_both_dialects_are_read_alike() -> None:
    of_card = in_card(
        keys=["mill"],
        secondary_keys=["wheel"],
        selective=True,
        content="It turns.",
        enabled=True,
        insertion_order=20,
        comment="The mill",
        extensions={"selectiveLogic": 3, "probability": 40, "useProbability": True, "sticky": 2},
    )
    of_world = in_world(
        key=["mill"],
        keysecondary=["wheel"],
        selective=True,
        selectiveLogic=3,
        content="It turns.",
        disable=False,
        order=20,
        comment="The mill",
        probability=40,
        useProbability=True,
        sticky=2,
    )
    assert of_card == of_world
    assert (of_card.logic, of_card.probability, of_card.sticky) == (Logic.AND_ALL, 40.0, 2)


def test_an_entry_that_says_little_is_read_with_the_usual_values() -> None:
    entry = in_card(keys=["mill"], content="It turns.")
    assert (entry.enabled, entry.constant, entry.probability) == (True, False, 100.0)
    assert in_world(key=["mill"], content="x", disable=True).enabled is False
    assert (
        in_world(key=["mill"], content="x", useProbability=False, probability=5).probability == 100
    )


def test_decorators_say_what_fields_say() -> None:
    entry = in_card(
        keys=["mill"],
        content="@@activate_only_after 4\n@@additional_keys wheel, sails\n@@exclude_keys war\nx",
    )
    assert (entry.delay_turns, entry.keys) == (4, ("mill", "wheel", "sails"))
    assert (entry.secondary_keys, entry.logic) == (("war",), Logic.NOT_ANY)
    assert in_card(keys=[], content="@@activate\nx").constant
    assert not in_card(keys=["a"], content="@@dont_activate\nx").enabled


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"keys": 5}, "keys: expected a list of texts, got 5"),
        ({"keys": [5]}, "keys: expected texts, got 5"),
        ({"content": []}, "content: expected a text, got a list"),
        ({"enabled": "yes"}, "enabled: expected true or false, got 'yes'"),
        ({"insertion_order": True}, "insertion_order: expected a number, got True"),
        ({"extensions": {"sticky": "2"}}, "extensions.sticky: expected a number, got '2'"),
        ({"insertion_order": 10**400}, "insertion_order: expected a number of at most"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(
    fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(CardError, match=rf"book: entries\[0\]: {why}"):
        in_card(**fields)


def test_a_book_without_entries_has_none() -> None:
    assert card_book({"name": "Harbour"}, "book").entries == {}


@pytest.mark.parametrize("entries", [5, {"0": {}}, ["text"]])
def test_what_is_no_list_of_entries_is_refused(entries: object) -> None:
    with pytest.raises(CardError, match="entries"):
        card_book({"entries": entries}, "book")


def test_what_our_lore_has_no_place_for_is_told() -> None:
    fields = {
        "keys": ["a"],
        "content": "@@depth 3\n@@activate\nx",
        "position": "after_char",
        "extensions": {"automation_id": "x", "depth": 4, "group": "inn", "weight": 9},
    }
    unused = unused_of(card_book({"entries": [fields]}, "book"), "0")
    assert unused == ("extensions.group", "extensions.automation_id", "position", "@@depth")
    assert unused_of(world_info({"entries": {"1": {"position": 4, "role": 0}}}, "w"), "1") == (
        "position",
    )


def test_a_changed_entry_keeps_all_else() -> None:
    raw = {"keys": ["a"], "content": "x", "extensions": {"x": 1}, "unknown": [1]}
    new = changed_entry(raw, CARD_BOOK, {"content": "y", "sticky": 3, "enabled": False})
    assert new == raw | {"content": "y", "enabled": False, "extensions": {"x": 1, "sticky": 3}}
    assert raw["content"] == "x"
    assert changed_entry({"uid": 1}, WORLD_INFO, {"enabled": False, "keys": ["b"]}) == {
        "uid": 1,
        "disable": True,
        "key": ["b"],
    }
