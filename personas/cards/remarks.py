"""What is to be known about an import: what is not used, what was cut, drawn or added. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from personas.cards.card import TEXTS, Card
from personas.cards.snapshot import KEY

#: Fields of a card that are not meant for prompts.
NOT_FOR_PROMPTS = (
    "creator_notes",
    "creator_notes_multilingual",
    "creator",
    "character_version",
    "tags",
    "source",
    "creation_date",
    "modification_date",
)
_KNOWN = {
    *TEXTS,
    *NOT_FOR_PROMPTS,
    "nickname",
    "alternate_greetings",
    "group_only_greetings",
    "character_book",
    "extensions",
    "assets",
}


class Kind(StrEnum):
    """What became of something that a card says."""

    UNUSED = "unused"
    """Nothing here follows it; it is kept in the card."""
    SHORTENED = "shortened"
    """The file takes less; the whole is kept in the card."""
    CHOSEN = "chosen"
    """A macro whose choice was made once."""
    WRITTEN = "written"
    """The card did not say it, and a file needs it."""


@dataclass(frozen=True)
class Remark:
    """Something to know about an import."""

    kind: Kind
    about: str  # a field of the card, or of a file
    what: str

    def __str__(self) -> str:
        return f"{self.about}: {self.what}"


def unused_of(card: Card) -> list[Remark]:
    """What of a card, beside its lorebook, no file of a character has a place for."""
    data = card.data
    told = {name: "is for people, and in no prompt" for name in NOT_FOR_PROMPTS if data.get(name)}
    if data.get("group_only_greetings"):
        told["group_only_greetings"] = "greetings of groups are not said here"
    others = (f"extensions.{key}" for key in card.extensions if key != KEY)
    told |= dict.fromkeys(others, "is for another program")
    if card.content is not data:
        unknown = (key for key in data if key not in _KNOWN)
        told |= dict.fromkeys(unknown, "is in no spec that is known here")
    assets = data.get("assets") or ()
    shown = [f"{one.get('type', 'asset')} {one.get('name', '')!r} is not shown" for one in assets]
    return [
        *(Remark(Kind.UNUSED, about, what) for about, what in told.items()),
        *(Remark(Kind.UNUSED, "assets", what) for what in shown),
    ]
