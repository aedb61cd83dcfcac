"""A file of World Info becomes the folder of a world, and a world becomes one again.

    worlds/harbour/world.yaml, lore.yaml   as any world
    worlds/harbour/card/world_info.json    the file as it came
    worlds/harbour/card/imported.json      the files as they were made of it

As with characters, what a designer changed since goes into the file that it came in.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from personas.cards.book_lore import BookLore, lore_of, retelling, taken_up
from personas.cards.card import Object
from personas.cards.card_files import MAX_BYTES, read_content
from personas.cards.character_import import faults_of
from personas.cards.draft import id_of
from personas.cards.entry_ids import slug
from personas.cards.macros import Names, rendering
from personas.cards.passages import shown_name
from personas.cards.remarks import Kind, Remark
from personas.cards.snapshot import KEY, Snapshot, snapshot_from
from personas.cards.stored_card import FOLDER, IMPORTED
from personas.cards.strict_json import json_bytes, read_json
from personas.cards.world_info import WorldInfo, is_world_info, world_info_of
from personas.cards.yaml_text import content_of, with_id, yaml_text
from personas.errors import CardError, PersonaError
from personas.plain_files import open_plain
from personas.world import World
from personas.world_files import read_world

WORLD, LORE = "world.yaml", "lore.yaml"
FILES = (WORLD, LORE)
ORIGINAL = "world_info.json"
_JSON_BEGINS = (b"{", b" ", b"\n", b"\r", b"\t", b"\xef")
#: Whom macros mean in what characters are told; a world has no one speaker.
_NAMES = Names("you", "the player")


@dataclass(frozen=True)
class StagedWorld:
    """A world that is written and checked, and not yet among the others."""

    world: World
    folder: Path
    remarks: tuple[Remark, ...]


@dataclass(frozen=True)
class _Import:
    texts: Mapping[str, str]
    book: BookLore
    remarks: tuple[Remark, ...]


def holds_world_info(file: Path) -> bool:
    """Whether a file is World Info, and not a card. Raises CardError for broken JSON."""
    with open_plain(file) as stream:
        if stream.read(1) not in _JSON_BEGINS:
            return False
    return is_world_info(read_json(read_content(file, MAX_BYTES), str(file)))


@contextmanager
def staged_world(file: Path, worlds: Path, name: str) -> Iterator[StagedWorld]:
    """Write the world of a file beside the others of a folder; it is gone at the end.

    `admit_world` makes it one of them. No name = that in the file, or the file's own. Raises
    CardError, and OSError of the disk.
    """
    info = world_info_of(read_json(read_content(file, MAX_BYTES), str(file)), str(file))
    world = id_of(f"{info.name} {file.stem}", name or slug(info.name) or slug(file.stem))
    _require_free(worlds / world)
    worlds.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".import-", dir=worlds))
    try:
        yield _stage(info, world, staging, file)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def admit_world(staged: StagedWorld, worlds: Path) -> Path:
    """Make a staged world one of the others, at once and whole. Raises CardError."""
    home = worlds / staged.world.id
    _require_free(home)
    return staged.folder.rename(home)


def world_info_from(folder: Path) -> WorldInfo:
    """The World Info of the world in a folder, in the form that it came in, or SillyTavern's.

    Raises PersonaError for a world with faults, and CardError for a broken stored file.
    """
    _read_checked(folder)
    texts = {name: _text(folder / name) for name in FILES}
    now = content_of(texts)
    stored, imported = _read_stored(folder)
    info = stored or WorldInfo({"entries": {}, "name": str(now[WORLD]["name"])})
    before = _by_id(content_of(imported.files)[LORE]) if imported else {}
    sources = imported.book if imported else ()
    told = retelling(info.book(str(folder)), sources, before, _by_id(now[LORE]))
    bare = info.with_entries(told.entries).with_snapshot(None)
    drafted = _import_of(bare, str(now[WORLD]["id"]), str(folder))
    if drafted.texts == texts:
        return bare
    return bare.with_snapshot(Snapshot(texts, {}, told.sources).content)


def _stage(info: WorldInfo, name: str, staging: Path, file: Path) -> StagedWorld:
    imported = _import_of(info, name, str(file))
    folder = staging / name
    (folder / FOLDER).mkdir(parents=True)
    for text_name, text in imported.texts.items():
        (folder / text_name).write_text(text, encoding="utf-8")
    (folder / FOLDER / ORIGINAL).write_bytes(json_bytes(info.with_snapshot(None).content))
    snapshot = Snapshot(imported.texts, {}, imported.book.sources)
    (folder / FOLDER / IMPORTED).write_bytes(json_bytes(snapshot.content))
    try:
        return StagedWorld(_read_checked(folder), folder, imported.remarks)
    except PersonaError as error:
        raise CardError(
            f"{file}: no world can be made of it as it is: {faults_of(error)}"
        ) from error


def _import_of(info: WorldInfo, name: str, what: str) -> _Import:
    """The files that World Info becomes; those that it brings, where it is as it was."""
    remarks: list[Remark] = []
    render = partial(_render, remarks=remarks)
    drafted = lore_of(info.book(what), what, render)
    remarks += [Remark(Kind.UNUSED, about, told) for about, told in drafted.unused]
    brought = info.extensions.get(KEY)
    if brought is None:
        card: Object = {"id": name, "name": shown_name(info.name) or name}
        texts = {WORLD: yaml_text(card, "world"), LORE: _lore_text(drafted)}
        return _Import(texts, drafted, tuple(remarks))
    snapshot = snapshot_from(brought, f"{what}: extensions.{KEY}", FILES)
    lore = content_of({LORE: snapshot.files[LORE]})[LORE]
    taken = taken_up(drafted, snapshot.book, _by_id(lore))
    world = with_id(snapshot.files[WORLD], name)
    if [one.entry for one in drafted.sources] == [one.entry for one in snapshot.book]:
        return _Import({WORLD: world, LORE: snapshot.files[LORE]}, taken, ())
    return _Import({WORLD: world, LORE: _lore_text(taken)}, taken, tuple(remarks))


def _render(text: str, about: str, remarks: list[Remark]) -> str:
    found = rendering(text, _NAMES)
    for macro in (*found.chosen, *found.unknown):
        kind = Kind.CHOSEN if macro in found.chosen else Kind.UNUSED
        remarks.append(Remark(kind, about, f"{macro} is filled in once, or left out"))
    return found.text


def _lore_text(book: BookLore) -> str:
    return yaml_text({"entries": list(book.entries)}, "world_lore")


def _by_id(lore: Mapping[str, object]) -> dict[str, Object]:
    entries = lore.get("entries") or ()
    assert isinstance(entries, list | tuple)  # the file was checked
    return {str(one["id"]): one for one in entries}


def _read_stored(folder: Path) -> tuple[WorldInfo | None, Snapshot | None]:
    original, imported = (folder / FOLDER / name for name in (ORIGINAL, IMPORTED))
    if not original.is_file():
        return None, None
    info = world_info_of(read_json(original.read_bytes(), str(original)), str(original))
    snapshot = read_json(imported.read_bytes(), str(imported))
    return info, snapshot_from(snapshot, str(imported), FILES)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig") if file.is_file() else "entries: []\n"


def _read_checked(folder: Path) -> World:
    world, problems = read_world(folder, folder.parent)
    if world is None:
        raise PersonaError(problems)
    return world


def _require_free(home: Path) -> None:
    if home.exists() or home.is_symlink():
        raise CardError(f"{home} is there already; give another id with --name, or remove it")
