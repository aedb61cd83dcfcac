"""What a card says becomes the files of a character, and what does not is told."""

from __future__ import annotations

import pytest

from personas.cards.card import Card, card_of
from personas.cards.draft import MAX_FACTS, Draft, Wishes, draft_of
from personas.cards.remarks import Kind
from personas.errors import CardError
from tests.support.cards import smith


def draft(card: Card, **wishes: str) -> Draft:
    return draft_of(card, Wishes(**{"id": "mira", **wishes}))


def told(read: Draft, kind: Kind) -> list[str]:
    return [str(remark) for remark in read.remarks if remark.kind is kind]


def test_the_description_says_who_what_and_what_is_known() -> None:
    read = draft(
        smith(description="Tamsin is the harbour mistress. She is old. " + "She sails. " * 30)
    )
    persona, lore = read.files["persona.yaml"], read.files["lore.yaml"]
    assert persona["role"] == "the harbour mistress"
    assert persona["summary"].startswith("She is old. She sails.")
    assert len(persona["summary"]) <= 240
    assert {fact["fact"] for fact in lore["facts"]} == {"She sails."}
    assert lore["facts"][0]["keywords"] == ["sails"]


def test_a_long_description_goes_on_as_lore_and_that_is_told() -> None:
    text = " ".join(f"She knows the ship number {n} by its sails." for n in range(60))
    read = draft(smith(description=text, character_book={"entries": []}))
    lore = read.files["lore.yaml"]
    assert len(lore["facts"]) == MAX_FACTS
    further = [one for one in lore["entries"] if one["id"].startswith("card-description")]
    said = [read.files["persona.yaml"]["summary"], *(f["fact"] for f in lore["facts"])]
    assert " ".join([*said, *(one["text"] for one in further)]) == text
    assert "4 parts of it became lore entries" in told(read, Kind.SHORTENED)[0]


def test_scenario_and_orders_are_always_told_the_last_order_first() -> None:
    entries = draft(smith()).files["lore.yaml"]["entries"]
    always = {one["id"]: one["priority"] for one in entries if one.get("constant")}
    assert always == {
        "card-scenario": 1000,
        "card-system-prompt": 2000,
        "card-post-history-instructions": 3000,
    }
    assert entries[1]["text"] == "Never leave the harbour."  # {{original}} is what we say


def test_the_player_is_named_by_who_speaks() -> None:
    files = draft(smith()).files
    assert files["persona.yaml"]["greetings"][0].endswith("Name and cargo, stranger?")
    assert files["lore.yaml"]["entries"][0]["text"].startswith("The player has come to")
    named = draft(smith(), player="Captain").files
    assert named["persona.yaml"]["greetings"][0].endswith("Name and cargo, Captain?")


def test_what_is_not_used_is_listed() -> None:
    unused = "\n".join(told(draft(smith()), Kind.UNUSED))
    for what in ("creator_notes", "tags", "extensions.depth_prompt", "@@depth", "switched off"):
        assert what in unused
    assert len(told(draft(smith()), Kind.CHOSEN)) == 2


def test_a_card_that_says_little_is_a_character_all_the_same() -> None:
    read = draft(card_of({"name": "Zoë"}, "card"))
    assert read.files["lore.yaml"]["facts"][0]["fact"] == "Your name is Zoë."
    assert [one.about for one in read.remarks if one.kind is Kind.WRITTEN] == [
        "role",
        "voice.style",
        "probes.yaml",
    ]


def test_a_probe_asks_what_no_example_asks() -> None:
    talk = "<START>\n{{user}}: Who are you?\n{{char}}: Tamsin."
    read = draft(smith(mes_example=talk))
    assert read.files["persona.yaml"]["examples"][0]["player"] == "Who are you?"
    assert read.files["probes.yaml"]["probes"][0]["ask"] == "What is your name?"


def test_the_language_is_told_from_the_text() -> None:
    read = draft(smith(description="タムシンは港の主です。彼女は年老いています。"))
    assert read.files["persona.yaml"]["language"] == "ja"
    assert "examples" not in read.files["persona.yaml"]
    unused = told(read, Kind.UNUSED)
    assert any(one.startswith("mes_example: in another language") for one in unused)
    assert any(one.startswith("first_mes: in another language") for one in unused)


def test_an_id_is_made_from_the_name_or_asked_for() -> None:
    assert draft_of(smith(), Wishes()).files["persona.yaml"]["id"] == "tamsin-vane"
    with pytest.raises(CardError, match=r"no id can be made of the name 'ミラ'; .* --name mira"):
        draft_of(card_of({"name": "ミラ"}, "card"), Wishes())
    with pytest.raises(CardError, match=r"'\.\./mira' is not an id"):
        draft_of(smith(), Wishes("../mira"))


def test_a_card_of_v3_calls_the_character_by_its_nickname() -> None:
    card = card_of(
        {"spec": "chara_card_v3", "data": {"name": "Tamsin (v2)", "nickname": "Tamsin"}}, "card"
    )
    assert draft(card).files["persona.yaml"]["name"] == "Tamsin"
