"""A character's folder becomes a card.

A character that came in a card goes out in the same one: what its files say otherwise now is put
into it, field by field and entry by entry, and everything else stays as it was. Where the card
alone would not bring back the same files, they ride in it (`snapshot`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from personas.cards.book import NO_BOOK, card_book
from personas.cards.book_lore import retelling
from personas.cards.card import Card, Spec, in_spec, new_card
from personas.cards.character_import import texts_of
from personas.cards.draft import LORE, PERSONA, Wishes, draft_of
from personas.cards.entry_ids import book_entries
from personas.cards.snapshot import with_snapshot
from personas.cards.stored_card import StoredCard, stored_card
from personas.cards.telling import Files, changed_fields
from personas.cards.yaml_text import content_of
from personas.persona_files import FILES, load_character
from personas.world_files import Worlds


def card_from(character: Path, spec: Spec | None, worlds: Worlds | None = None) -> Card:
    """The card of the character in a folder; None = in the spec that it came in, or V3.

    None for worlds that lie beside the cast. Raises PersonaError for a character with faults, and
    CardError for a broken stored card.
    """
    load_character(character, worlds)
    texts = {name: (character / name).read_text(encoding="utf-8-sig") for name in FILES}
    return card_of_files(texts, stored_card(character), spec)


def card_of_files(texts: Mapping[str, str], stored: StoredCard | None, spec: Spec | None) -> Card:
    """The card that these files make of the stored one, or of none."""
    now = content_of(texts)
    before = content_of(stored.imported.files) if stored else None
    base = stored.card if stored else new_card(Spec.V3, now[PERSONA]["name"])
    card = in_spec(base, spec or (Spec.V2 if base.spec is Spec.V1 else base.spec))
    changes = _own_words(changed_fields(before, now), card, before)
    old = book_entries(before[LORE]) if before else {}
    book = card_book(card.book, "character_book") if card.book else NO_BOOK
    told = retelling(book, stored.imported.book if stored else (), old, book_entries(now[LORE]))
    if list(told.entries.values()) != list(book.entries.values()):
        entries = list(told.entries.values())
        changes["character_book"] = {"extensions": {}, **card.book, "entries": entries}
    card = card.with_data(changes)
    if _brings_back(card, now[PERSONA]["id"], texts):
        return card
    return with_snapshot(card, texts, told.sources)


def _own_words(changes: Mapping[str, Any], card: Card, before: Files | None) -> dict[str, Any]:
    """The changes, with the card's own words for greetings that stayed, and for its list name."""
    told = dict(changes)
    if "name" in told and card.text("nickname"):
        told["nickname"] = told.pop("name")
    if before is not None and {"first_mes", "alternate_greetings"} & told.keys():
        told |= _greetings(told, card, before)
    return told


def _greetings(told: Mapping[str, Any], card: Card, before: Files) -> dict[str, Any]:
    written = [t for t in (card.text("first_mes"), *card.texts("alternate_greetings")) if t.strip()]
    imported = list(before[PERSONA].get("greetings", ()))
    original = dict(zip(imported, written, strict=False))
    first = told.get("first_mes", next(iter(imported), ""))
    further = told.get("alternate_greetings", imported[1:])
    beyond = written[len(imported) :]  # there were more than a file takes
    return {
        "first_mes": original.get(first, first),
        "alternate_greetings": [*(original.get(one, one) for one in further), *beyond],
    }


def _brings_back(card: Card, character: str, texts: Mapping[str, str]) -> bool:
    """Whether the card alone is imported as these very files."""
    return texts_of(draft_of(card, Wishes(character)).files) == dict(texts)
