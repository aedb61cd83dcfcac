"""An entry of a lorebook becomes one of lore, and an edited one of lore is put back into it."""

from __future__ import annotations

from typing import Any

import pytest

from personas.cards.book import CARD_BOOK, WORLD_INFO, card_book, world_info
from personas.cards.book_lore import BookLore, lore_of
from personas.cards.entries import MAX_TEXT, always_told, new_entry, retold
from personas.cards.entry_ids import book_entries, entries_at, slug, text_at

Object = dict[str, Any]


def as_it_is(text: str, about: str) -> str:
    return text


def lore(*entries: Object) -> BookLore:
    return lore_of(card_book({"entries": list(entries)}, "book"), "book", as_it_is)


def entry(**fields: Any) -> Object:
    return {"keys": ["mill"], "content": "It turns.", **fields}


def test_what_an_entry_says_is_said_in_lore() -> None:
    read = lore(
        entry(
            comment="The Old Mill",
            secondary_keys=["war"],
            insertion_order=130,
            extensions={
                "selectiveLogic": 2,
                "sticky": 3,
                "cooldown": 4,
                "delay": 1,
                "probability": 50,
                "scan_depth": 6,
                "prevent_recursion": True,
            },
        )
    )
    assert read.entries == (
        {
            "id": "the-old-mill",
            "text": "It turns.",
            "keys": ["mill"],
            "secondary_keys": ["war"],
            "logic": "not_any",
            "priority": 30,
            "scan_lines": 6,
            "sticky": 2,  # turns of two messages
            "cooldown": 2,
            "delay": 1,
            "probability": 50,
            "prevent_recursion": True,
        },
    )


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"keys": ["/lamp(s)?/i"]}, {"patterns": ["lamp(s)?"]}),
        ({"keys": ["/lamp/"]}, {"patterns": ["(?-i)lamp"]}),
        ({"keys": ["/la.mp/is"]}, {"patterns": ["(?s)la.mp"]}),
        ({"keys": ["la.mp"], "use_regex": True}, {"patterns": ["la.mp"]}),
        ({"keys": ["La", "lamp"], "constant": True}, {"keys": ["La", "lamp"], "constant": True}),
    ],
)
def test_patterns_are_told_from_phrases(fields: Object, keys: Object) -> None:
    (read,) = lore(entry(comment="x", **fields)).entries
    assert read == {"id": "x", "text": "It turns.", **keys}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"enabled": False}, "it is switched off"),
        ({"content": "\u200b"}, "it tells nothing"),
        ({"extensions": {"probability": 0}}, "its probability is 0"),
        ({"keys": ["…"]}, "it has no usable key, so it is never told"),
        ({"keys": ["/(?=x)y/"]}, "key '/(?=x)y/' cannot be looked for"),
        ({"keys": ["/a*/"]}, "key '/a*/' matches where nothing is said"),
    ],
)
def test_what_is_never_told_is_no_lore_and_said_why(fields: Object, why: str) -> None:
    read = lore(entry(**fields))
    assert read.entries == ()
    assert [one.ids for one in read.sources] == [()]
    assert any(about == "book: entries[0]" and what.startswith(why) for about, what in read.unused)


def test_a_text_that_is_too_long_is_told_in_parts() -> None:
    text = "The mill turns in the wind. " * 200
    read = lore(entry(comment="Mill", content=text), entry(comment="Mill"))
    assert [one["id"] for one in read.entries] == ["mill", "mill-2", "mill-3"]
    assert [one.ids for one in read.sources] == [("mill", "mill-2"), ("mill-3",)]
    assert all(len(one["text"]) <= MAX_TEXT for one in read.entries)
    assert " ".join(one["text"] for one in read.entries[:2]) == text.strip()


def test_an_edited_entry_changes_the_one_it_came_from_and_nothing_else() -> None:
    raw = entry(keys=["mill"], content="@@depth 3\nIt turns.", extensions={"x": 1}, unknown=2)
    before = list(lore(raw).entries)
    after = [before[0] | {"text": "It burned.", "patterns": ["mills?"], "sticky": 2, "when": "a"}]
    assert retold(raw, CARD_BOOK, before, after) == raw | {
        "content": "@@depth 3\nIt burned.",
        "keys": ["mill", "/mills?/i"],
        "extensions": {"x": 1, "sticky": 4},
    }
    assert retold(raw, CARD_BOOK, before, before) is raw


@pytest.mark.parametrize("dialect", [CARD_BOOK, WORLD_INFO], ids=["card", "world info"])
def test_an_entry_of_ours_comes_back_from_either_dialect(dialect: Any) -> None:
    ours = {
        "id": "pier",
        "text": "It rots.",
        "keys": ["pier"],
        "patterns": ["(?-i)pilings?"],
        "secondary_keys": ["storm"],
        "logic": "all",
        "priority": -20,
        "by_meaning": True,
        "sticky": 3,
        "probability": 10,
        "exclude_recursion": True,
    }
    raw = new_entry(ours, dialect, 7)
    read = card_book({"entries": [raw]}, "b") if dialect is CARD_BOOK else None
    book = read or world_info({"entries": {"7": raw}}, "b")
    assert lore_of(book, "b", as_it_is).entries == (ours,)


def test_entries_of_a_field_are_found_again() -> None:
    made = always_told("scenario", "It is dusk. " * 400)
    content = {"entries": [*made, *lore(entry(comment="Card Scenario")).entries]}
    assert entries_at(content, "scenario") == made
    assert text_at(content, "scenario") == ("It is dusk. " * 400).strip()
    assert list(book_entries(content)) == ["entry-card-scenario"]


@pytest.mark.parametrize(
    ("title", "made"), [("Der Müller!", "der-muller"), ("12 Ships 3", "ships-3"), ("鍛冶屋", "")]
)
def test_a_title_makes_an_id(title: str, made: str) -> None:
    assert slug(title) == made
