"""World Info: a lorebook alone, in a file of its own. Pure.

    {entries: {"0": {…}}, name, …}                       as SillyTavern stores it
    {spec: "lorebook_v3", data: {entries: […], …}}       as the V3 spec has it

Like a card, it is kept as it came, unknown keys and all.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from personas.cards.book import Book, card_book, world_info
from personas.cards.card import Object
from personas.cards.snapshot import KEY
from personas.cards.strict_json import JSON
from personas.errors import CardError

SPEC = "lorebook_v3"


@dataclass(frozen=True)
class WorldInfo:
    """One file of World Info; `content` is the whole object and belongs to nobody else."""

    content: Object

    @property
    def data(self) -> Object:
        """The part that has the entries."""
        return self.content["data"] if "spec" in self.content else self.content

    @property
    def name(self) -> str:
        """What its author calls it; "" = nothing."""
        name = self.data.get("name")
        return name.strip() if isinstance(name, str) else ""

    @property
    def extensions(self) -> Object:
        """What other programs keep in it, and we do."""
        found = self.data.get("extensions")
        return found if isinstance(found, dict) else {}

    def book(self, what: str) -> Book:
        """Its entries. Raises CardError for what are none."""
        return card_book(self.data, what) if "spec" in self.content else world_info(self.data, what)

    def with_entries(self, entries: Mapping[str, Object]) -> WorldInfo:
        """The same with other entries."""
        content = copy.deepcopy(self.content)
        data = WorldInfo(content).data
        data["entries"] = list(entries.values()) if "spec" in content else dict(entries)
        return WorldInfo(content)

    def with_snapshot(self, kept: Object | None) -> WorldInfo:
        """The same with what we keep in it; None = nothing."""
        if kept is None and KEY not in self.extensions:
            return self
        rest = {key: value for key, value in self.extensions.items() if key != KEY}
        content = copy.deepcopy(self.content)
        data = WorldInfo(content).data
        data["extensions"] = rest if kept is None else {**rest, KEY: kept}
        if not data["extensions"]:
            del data["extensions"]
        return WorldInfo(content)


def is_world_info(value: JSON) -> bool:
    """Whether a value looks like World Info, and not like a card."""
    if not isinstance(value, dict):
        return False
    return value.get("spec") == SPEC or (
        "spec" not in value and isinstance(value.get("entries"), dict)
    )


def world_info_of(value: JSON, what: str) -> WorldInfo:
    """The World Info that a value is; `what` names it in errors. Raises CardError."""
    if not isinstance(value, dict) or not is_world_info(value):
        raise CardError(f"{what}: no World Info: neither entries by uid nor a {SPEC}")
    content: Object = dict(value)
    if "spec" in content and not isinstance(content.get("data"), dict):
        raise CardError(f"{what}: data: expected an object")
    info = WorldInfo(content)
    info.book(what)
    return info
