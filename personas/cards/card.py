"""A character card of any of the three specs, as one object. Pure.

    V1  {name, description, personality, scenario, first_mes, mes_example}
    V2  {spec: "chara_card_v2", spec_version, data: V1 and more, extensions, character_book}
    V3  {spec: "chara_card_v3", spec_version, data: V2 and more, assets}

The object is kept as it came, unknown keys and all. What we read of it is checked when the card is
made, so that whoever holds a card can ask it without fear.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from personas.errors import CardError

Object = dict[str, Any]

#: What a card says in words, in the order of the specs.
TEXTS = (
    "name",
    "description",
    "personality",
    "scenario",
    "first_mes",
    "mes_example",
    "system_prompt",
    "post_history_instructions",
)
#: What V3 has beyond V2.
ONLY_V3 = (
    "assets",
    "nickname",
    "creator_notes_multilingual",
    "source",
    "group_only_greetings",
    "creation_date",
    "modification_date",
)


class Spec(StrEnum):
    """The form that a card is in."""

    V1 = "v1"
    V2 = "v2"
    V3 = "v3"


_NAMES = {"chara_card_v2": Spec.V2, "chara_card_v3": Spec.V3}
_HEADS: dict[Spec, Object] = {
    Spec.V2: {"spec": "chara_card_v2", "spec_version": "2.0"},
    Spec.V3: {"spec": "chara_card_v3", "spec_version": "3.0"},
}
#: What a card of the spec has to have, with what says nothing.
_LEAST: dict[Spec, Object] = {
    Spec.V2: {
        **dict.fromkeys(TEXTS, ""),
        "creator_notes": "",
        "alternate_greetings": [],
        "tags": [],
        "creator": "",
        "character_version": "",
        "extensions": {},
    },
    Spec.V3: {"group_only_greetings": []},
}


@dataclass(frozen=True)
class Card:
    """One card; `content` is the whole object and belongs to nobody else."""

    spec: Spec
    content: Object

    @property
    def data(self) -> Object:
        """The part that describes the character."""
        return self.content if self.spec is Spec.V1 else self.content["data"]

    @property
    def name(self) -> str:
        """What the character is called; shown in lists, and the nickname where there is one."""
        return self.text("name").strip()

    @property
    def called(self) -> str:
        """What {{char}} stands for."""
        return self.text("nickname").strip() or self.name

    def text(self, field: str) -> str:
        """A text; "" where there is none."""
        return self.data.get(field) or ""

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.data.get(field) or ())

    @property
    def extensions(self) -> Object:
        """What other programs keep in the card, and we do."""
        return self.data.get("extensions") or {}

    @property
    def book(self) -> Object:
        """The lorebook; empty where there is none."""
        return self.data.get("character_book") or {}

    def with_data(self, changes: Mapping[str, Any], without: tuple[str, ...] = ()) -> Card:
        """The same card with other fields; V1 fields at the top of a V2 card follow."""
        content = copy.deepcopy(self.content)
        data = content if self.spec is Spec.V1 else content["data"]
        for field, value in changes.items():
            if content is not data and field in content and content[field] == data.get(field):
                content[field] = copy.deepcopy(value)
            data[field] = copy.deepcopy(value)
        for field in without:
            data.pop(field, None)
        return Card(self.spec, content)


def card_of(value: object, what: str) -> Card:
    """The card that a value is; `what` names it in errors. Raises CardError."""
    content = _object(value, what)
    spec = _spec_of(content, what)
    data = content if spec is Spec.V1 else _object(content.get("data"), f"{what}: data")
    _check_data(data, what)
    return Card(spec, content)


def new_card(spec: Spec, name: str) -> Card:
    """A card of V2 or V3 that says nothing but a name."""
    return in_spec(Card(Spec.V1, {"name": name}), spec)


def in_spec(card: Card, spec: Spec) -> Card:
    """The card as one of V2 or V3. What V3 alone has stays where it is: readers pass over it."""
    if card.spec is spec:
        return card
    least = _LEAST[Spec.V2] | (_LEAST[Spec.V3] if spec is Spec.V3 else {})
    data = copy.deepcopy(least) | copy.deepcopy(card.data)
    rest = {} if card.spec is Spec.V1 else {k: v for k, v in card.content.items() if k != "data"}
    return Card(spec, copy.deepcopy(rest) | _HEADS[spec] | {"data": data})


def _spec_of(content: Object, what: str) -> Spec:
    named = content.get("spec")
    if named in _NAMES:
        return _NAMES[named]
    if named is not None:
        raise CardError(f"{what}: spec {named!r} is unknown; known: {', '.join(_NAMES)}")
    if "data" in content and "name" not in content:
        raise CardError(f"{what}: has data but no spec; known: {', '.join(_NAMES)}")
    return Spec.V1


def _check_data(data: Object, what: str) -> None:
    for field in (*TEXTS, "nickname", "creator_notes", "creator", "character_version"):
        _require(data, field, str, "a text", what)
    for field in ("alternate_greetings", "group_only_greetings", "tags"):
        _require_texts(data, field, what)
    _require(data, "extensions", dict, "an object", what)
    _require(data, "character_book", dict, "an object", what)
    _require_objects(data, "assets", what)
    if not (data.get("name") or "").strip():
        raise CardError(f"{what}: has no name, so it is no character card")


def _require(data: Object, field: str, kind: type, named: str, what: str) -> None:
    """Raise CardError for a value of another kind; null says nothing and is let pass."""
    value = data.get(field)
    if value is not None and not isinstance(value, kind):
        raise CardError(f"{what}: {field}: expected {named}, got {_brief(value)}")


def _require_texts(data: Object, field: str, what: str) -> None:
    _require(data, field, list, "a list of texts", what)
    for index, one in enumerate(data.get(field) or ()):
        if not isinstance(one, str):
            raise CardError(f"{what}: {field}[{index}]: expected a text, got {_brief(one)}")


def _require_objects(data: Object, field: str, what: str) -> None:
    _require(data, field, list, "a list of objects", what)
    for index, one in enumerate(data.get(field) or ()):
        _object(one, f"{what}: {field}[{index}]")


def _object(value: Any, what: str) -> Object:
    if not isinstance(value, dict):
        raise CardError(f"{what}: expected an object, got {_brief(value)}")
    return value


def _brief(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
