"""A file with a card becomes the folder of a character.

The folder is written beside its final name, under a name that no cast reads, and checked as any
other: either a character is there that speaks, or nothing is.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from personas.cards.book_lore import taken_up
from personas.cards.card import Card, Object, card_of
from personas.cards.card_files import read_value
from personas.cards.draft import LORE, PERSONA, Draft, Wishes, draft_of
from personas.cards.entry_ids import book_entries
from personas.cards.remarks import Kind, Remark
from personas.cards.riding_adapter import take_adapter
from personas.cards.snapshot import KEY, Snapshot, snapshot_in, snapshot_of, without_snapshot
from personas.cards.stored_card import FOLDER, store_card
from personas.cards.telling import retaken
from personas.cards.yaml_text import content_of, with_id, yaml_text
from personas.errors import CardError, PersonaError
from personas.persona import Persona
from personas.persona_files import load_character
from personas.world_files import Worlds, worlds_beside


@dataclass(frozen=True)
class Import:
    """The files that a card becomes, and what is kept of it."""

    id: str
    texts: Mapping[str, str]
    card: Card
    snapshot: Snapshot
    remarks: tuple[Remark, ...]


@dataclass(frozen=True)
class Staged:
    """A character that is written and checked, and not yet among the others."""

    persona: Persona
    folder: Path
    remarks: tuple[Remark, ...]
    adapter: Path | None  # a folder with the adapter that came with it


def import_of(card: Card, wishes: Wishes, what: str) -> Import:
    """What a card becomes. Raises CardError, for broken files that it brings, too."""
    brought, bare = snapshot_in(card, what), without_snapshot(card)
    if brought is None:
        draft = draft_of(bare, wishes)
        return _import(bare, draft, texts_of(draft.files))
    content = _brought_content(brought, what)
    named = replace(wishes, id=wishes.id or str(content[PERSONA].get("id", "")))
    draft = draft_of(bare, named)
    changed = brought.changed_fields(bare)
    book = taken_up(draft.book, brought.book, book_entries(content[LORE]))
    if not changed:
        texts = {**brought.files, PERSONA: with_id(brought.files[PERSONA], named.id)}
        return _import(bare, Draft(draft.files, (), book), texts)
    files = retaken(content, draft.files, changed, book)
    files[PERSONA]["id"] = named.id
    said = f"{', '.join(sorted(changed))}: changed by another program since the export"
    remark = Remark(Kind.WRITTEN, "extensions.troupe", said)
    return _import(bare, Draft(files, (remark, *draft.remarks), book), texts_of(files))


def _brought_content(brought: Snapshot, what: str) -> dict[str, Object]:
    try:
        return content_of(brought.files)
    except PersonaError as error:
        raise CardError(f"{what}: extensions.{KEY}: {faults_of(error)}") from error


def texts_of(files: Mapping[str, Object]) -> dict[str, str]:
    """Files as they are written, of their contents."""
    return {name: yaml_text(content, Path(name).stem) for name, content in files.items()}


@contextmanager
def staged_character(
    file: Path, cast: Path, wishes: Wishes, worlds: Worlds | None = None
) -> Iterator[Staged]:
    """Write what a file holds beside the characters of a folder; it is gone at the end.

    `admit` makes it one of them. None for worlds that lie beside the cast. Raises CardError, and
    OSError of the disk.
    """
    cast.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".import-", dir=cast))
    try:
        folder, imported, adapter = _write(file, staging, cast, wishes)
        persona = _read_checked(folder, file, worlds or Worlds(worlds_beside(cast)))
        yield Staged(persona, folder, imported.remarks, adapter)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def admit(staged: Staged, cast: Path) -> Path:
    """Make a staged character one of the cast, at once and whole. Raises CardError."""
    home = cast / staged.persona.id
    _require_free(home)
    return staged.folder.rename(home)


def _write(
    file: Path, staging: Path, cast: Path, wishes: Wishes
) -> tuple[Path, Import, Path | None]:
    """Write all that a file holds below `staging`: the character's folder, and its adapter."""
    beside = staging / "beside"
    beside.mkdir()
    card = card_of(read_value(file, beside), str(file))
    bare, adapter = take_adapter(card, beside, staging / "adapter")
    imported = import_of(bare, wishes, str(file))
    _require_free(cast / imported.id)
    folder = staging / imported.id
    folder.mkdir()
    for name, text in imported.texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    beside.rename(folder / FOLDER)
    store_card(folder, imported.card, imported.snapshot)
    return folder, imported, adapter


def _read_checked(folder: Path, file: Path, worlds: Worlds) -> Persona:
    """The character that was written. Raises CardError with what is wrong with it."""
    try:
        return load_character(folder, worlds)
    except PersonaError as error:
        raise CardError(
            f"{file}: no character can be made of it as it is: {faults_of(error)}"
        ) from error


def faults_of(error: PersonaError) -> str:
    """What is wrong with files that nobody has seen yet, without their places."""
    told = (": ".join(filter(None, (one.file.name, one.field, one.what))) for one in error.problems)
    return "; ".join(told)


def _require_free(home: Path) -> None:
    if home.exists() or home.is_symlink():
        raise CardError(f"{home} is there already; give another id with --name, or remove it")


def _import(card: Card, draft: Draft, texts: Mapping[str, str]) -> Import:
    character = str(draft.files[PERSONA]["id"])
    snapshot = snapshot_of(card, texts, draft.book.sources)
    return Import(character, texts, card, snapshot, draft.remarks)
