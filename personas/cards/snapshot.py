"""What Troupe keeps of itself in a card: `extensions.troupe`. Pure.

The files of the character, word for word, so that a card brings back the whole of it, comments and
all; and a hash of every field as the card told it. A field whose hash differs was changed by
another program, and then says more than the files do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from personas.cards.book_lore import Source
from personas.cards.card import Card, Object
from personas.cards.strict_json import JSON
from personas.errors import CardError, brief
from personas.persona_files import FILES

KEY = "troupe"
FORMAT = 1
#: What a card tells of a character, and so what may be changed elsewhere.
FIELDS = (
    "name",
    "nickname",
    "description",
    "personality",
    "scenario",
    "first_mes",
    "alternate_greetings",
    "mes_example",
    "system_prompt",
    "post_history_instructions",
    "character_book",
)


@dataclass(frozen=True)
class Snapshot:
    """The files of a character, by name, and what its card said then."""

    files: Mapping[str, str]
    fields: Mapping[str, str]  # hashes by field
    book: tuple[Source, ...]  # of its lorebook

    def changed_fields(self, card: Card) -> frozenset[str]:
        """The fields that a card tells otherwise than when the snapshot was taken."""
        return frozenset(name for name in FIELDS if self.fields.get(name) != _hash(card, name))

    @property
    def content(self) -> Object:
        """The snapshot as it is stored."""
        book = [{"entry": source.entry, "ids": list(source.ids)} for source in self.book]
        return {
            "format": FORMAT,
            "files": dict(self.files),
            "fields": dict(self.fields),
            "book": book,
        }


_SNAPSHOT = TypeAdapter(Snapshot)


def snapshot_of(card: Card, files: Mapping[str, str], book: tuple[Source, ...]) -> Snapshot:
    """What is kept of a card and the files that go with it."""
    return Snapshot(dict(files), {name: _hash(card, name) for name in FIELDS}, book)


def snapshot_from(value: JSON, where: str, names: tuple[str, ...] = FILES) -> Snapshot:
    """A snapshot of files of these names, as it was stored. Raises CardError for anything else."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise CardError(f"{where}: of another format than {FORMAT}, which is known here")
    try:
        stored = _SNAPSHOT.validate_python(value)
    except ValidationError as error:
        raise CardError(f"{where}: {brief(error)}") from error
    if missing := [name for name in names if name not in stored.files]:
        raise CardError(f"{where}: files: {', '.join(missing)} is missing")
    return stored


def snapshot_in(card: Card, what: str) -> Snapshot | None:
    """The snapshot that a card brings; None = it has none. Raises CardError for a broken one."""
    found = card.extensions.get(KEY)
    return None if found is None else snapshot_from(found, f"{what}: extensions.{KEY}")


def with_snapshot(card: Card, files: Mapping[str, str], book: tuple[Source, ...]) -> Card:
    """The card with these files in it, in place of any that it brought."""
    bare = without_snapshot(card)
    kept = snapshot_of(bare, files, book).content
    return bare.with_data({"extensions": {**bare.extensions, KEY: kept}})


def without_snapshot(card: Card) -> Card:
    """The card as others see it."""
    if KEY not in card.extensions:
        return card
    rest = {key: value for key, value in card.extensions.items() if key != KEY}
    return card.with_data({"extensions": rest})


def _hash(card: Card, name: str) -> str:
    value = card.data.get(name) or None  # nothing is nothing, however it is written
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
