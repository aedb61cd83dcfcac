"""What a character's folder keeps of the card that it came in.

    mira/card/card.json       the card, as it came
    mira/card/imported.json   the persona files as they were made of it
    mira/card/picture.png     the picture that it came in; assets/ of a CHARX

Nothing of this is part of the persona. An export takes it from here, so that what only other
programs know of a card survives; without it a character is exported as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from personas.cards.card import Card, card_of
from personas.cards.charx import CARD
from personas.cards.snapshot import Snapshot, snapshot_from
from personas.cards.strict_json import JSON, MAX_BYTES, json_bytes, read_json
from personas.errors import CardError
from personas.plain_files import read_plain

FOLDER = "card"
IMPORTED = "imported.json"


@dataclass(frozen=True)
class StoredCard:
    """A card, and the files that were made of it."""

    card: Card
    imported: Snapshot


def stored_card(character: Path) -> StoredCard | None:
    """What the folder of a character keeps of its card; None = it came in none.

    Raises CardError for files that are not what an import wrote.
    """
    folder = character / FOLDER
    if not (folder / CARD).is_file():
        return None
    card = card_of(_value(folder / CARD), str(folder / CARD))
    return StoredCard(card, snapshot_from(_value(folder / IMPORTED), str(folder / IMPORTED)))


def store_card(character: Path, card: Card, imported: Snapshot) -> None:
    """Keep a card in the folder of the character that was made of it."""
    folder = character / FOLDER
    folder.mkdir(exist_ok=True)
    (folder / CARD).write_bytes(json_bytes(card.content))
    (folder / IMPORTED).write_bytes(json_bytes(imported.content))


def _value(file: Path) -> JSON:
    try:
        return read_json(read_plain(file, MAX_BYTES), str(file))
    except FileNotFoundError as error:
        raise CardError(
            f"{file} is missing; without {file.parent} the rest exports well"
        ) from error
