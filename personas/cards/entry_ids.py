"""Ids of lore entries that come from a card: of a field, or of its lorebook. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]

#: Entries that are made of these fields of a card have ids of their own, `card-scenario-2`.
_PLACE = re.compile(
    r"card-(description|personality|scenario|system-prompt|post-history-instructions)(-\d+)?"
)
_MOST = 40  # characters, before a number


class EntryIds:
    """The ids that are taken; each is given once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._given = Counter[str]()  # by the id that was wanted

    def take(self, wanted: str) -> str:
        """The id, with a number behind it where it is taken; from now on it is."""
        first = f"entry-{wanted}"[:_MOST] if _PLACE.fullmatch(wanted) else wanted
        new = first
        while new in self._taken:
            self._given[first] += 1
            new = f"{first}-{1 + self._given[first]}"
        self._taken.add(new)
        return new


def slug(title: str) -> str:
    """An id that a title suggests; "" = it has no Latin letter."""
    plain_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain_title).lstrip("-0123456789")[:_MOST].strip("-")


def place_id(place: str, number: int) -> str:
    """The id of the `number`th entry that a field of a card became."""
    name = f"card-{place.replace('_', '-')}"
    return name if number == 1 else f"{name}-{number}"


def entries_at(lore: Mapping[str, Any], place: str) -> list[Object]:
    """The entries that a field of a card became, as they are now."""
    ids = re.compile(rf"{re.escape(place_id(place, 1))}(-\d+)?")
    return [one for one in lore.get("entries", ()) if ids.fullmatch(str(one["id"]))]


def text_at(lore: Mapping[str, Any], place: str) -> str:
    """What the entries of a field tell."""
    return " ".join(one["text"] for one in entries_at(lore, place))


def book_entries(lore: Mapping[str, Any]) -> dict[str, Object]:
    """The entries that are of no field of a card, by id."""
    entries = lore.get("entries", ())
    return {str(one["id"]): one for one in entries if not _PLACE.fullmatch(str(one["id"]))}
