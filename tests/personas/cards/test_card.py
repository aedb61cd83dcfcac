"""A card of any spec is one object, which is kept as it came."""

from __future__ import annotations

from typing import Any

import pytest

from personas.cards.card import Spec, card_of, in_spec, new_card
from personas.errors import CardError

V2: dict[str, Any] = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "name": "Mira",
    "data": {"name": "Mira", "description": "A smith.", "extensions": {"depth": {"x": 1}}},
}


@pytest.mark.parametrize(
    ("content", "spec"),
    [
        ({"name": "Mira", "description": "A smith."}, Spec.V1),
        (V2, Spec.V2),
        (V2 | {"spec": "chara_card_v3", "spec_version": "3.1"}, Spec.V3),
    ],
)
def test_every_spec_is_read(content: dict[str, object], spec: Spec) -> None:
    card = card_of(content, "a")
    assert (card.spec, card.name, card.text("description")) == (spec, "Mira", "A smith.")
    assert card.content == content


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param([], "expected an object, got a list", id="a list"),
        pytest.param({"name": "  "}, "has no name", id="no name"),
        pytest.param({"spec": "chara_card_v9"}, "spec 'chara_card_v9' is unknown", id="spec"),
        pytest.param({"data": {"name": "x"}}, "has data but no spec", id="no spec"),
        pytest.param({"spec": "chara_card_v2"}, "data: expected an object, got None", id="no data"),
        pytest.param({"name": "x", "scenario": 5}, "scenario: expected a text, got 5", id="number"),
        pytest.param(
            {"name": "x", "alternate_greetings": ["a", 1]},
            r"alternate_greetings\[1\]: expected a text, got 1",
            id="greeting",
        ),
        pytest.param({"name": "x", "extensions": []}, "extensions: expected an object", id="ext"),
        pytest.param(
            {"name": "x", "assets": ["a"]}, r"assets\[0\]: expected an object", id="asset"
        ),
        pytest.param({"name": {"a": 1}}, "name: expected a text, got an object", id="name"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(content: object, why: str) -> None:
    with pytest.raises(CardError, match=f"card.json: .*{why}|card.json: {why}"):
        card_of(content, "card.json")


def test_null_says_nothing() -> None:
    card = card_of({"name": "x", "scenario": None, "alternate_greetings": None}, "a")
    assert (card.text("scenario"), card.texts("alternate_greetings")) == ("", ())


def test_a_changed_field_changes_nothing_else() -> None:
    card = card_of(V2, "a")
    new = card.with_data({"name": "Mira Holt", "scenario": "Night."})
    assert new.content == V2 | {
        "name": "Mira Holt",  # a copy at the top follows
        "data": {**V2["data"], "name": "Mira Holt", "scenario": "Night."},
    }
    assert card.content == V2


def test_another_spec_keeps_what_the_card_says() -> None:
    v3 = in_spec(card_of(V2, "a"), Spec.V3)
    assert v3.content["spec_version"] == "3.0"
    assert v3.data["group_only_greetings"] == []
    assert v3.extensions == {"depth": {"x": 1}}
    assert in_spec(v3, Spec.V2).text("description") == "A smith."


def test_a_new_card_has_what_its_spec_asks_for() -> None:
    data = new_card(Spec.V3, "Mira").data
    assert {"extensions", "tags", "group_only_greetings", "first_mes"} <= data.keys()
    assert card_of(new_card(Spec.V2, "Mira").content, "a").spec is Spec.V2
