"""Reads worlds from their folders: `worlds/saltmere/world.yaml` and `lore.yaml` beside it.

Files are untrusted, like those of characters. A world is read when a character first names it, and
again only when it was saved, so that whoever names it has the same.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from personas import yaml_file
from personas.conditions import faults, parse
from personas.errors import Problem
from personas.file_stamps import FileStamp, stamp_of
from personas.known_names import no_such
from personas.links import LinkError, inside
from personas.lore.entry_checks import check_entries
from personas.schema_errors import validate
from personas.world import World, WorldCard, WorldLore
from personas.yaml_file import Document

MAX_LORE_BYTES = 16 << 20  # some ten thousand entries with a few sentences each
FILES = ("world.yaml", "lore.yaml")
FOLDER = "worlds"  # beside the folder of characters, unless the settings name another


def worlds_beside(characters: Path) -> Path:
    """Where the worlds of a folder of characters lie unless somebody says otherwise."""
    return characters.absolute().parent / FOLDER


@dataclass(frozen=True)
class _Read:
    stamps: tuple[FileStamp, ...]  # of the files, before they were read
    world: World | None
    problems: tuple[Problem, ...]


class Worlds:
    """The worlds below a folder, each read when it is named and again when it was saved."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, _Read] = {}

    def find(self, name: str) -> tuple[World | None, tuple[Problem, ...]]:
        """The world of that name, or what is wrong with its files. Raises LookupError."""
        if name not in (known := self._names()):
            raise LookupError(self._missing(name, known))
        now = _stamps(self.root / name)
        if name not in self._read or self._read[name].stamps != now:
            self._read[name] = _Read(now, *read_world(self.root / name, self.root))
        return self._read[name].world, self._read[name].problems

    def stamps(self) -> tuple[FileStamp, ...]:
        """What is another when any of them was saved, or came or went."""
        return tuple(stamp for name in self._names() for stamp in _stamps(self.root / name))

    def _missing(self, name: str, known: list[str]) -> str:
        if known:
            return f"{no_such('world', name, known)} They lie in {self.root}."
        file = self.root / name / "world.yaml"
        return f"no world {name!r}: {file} is not there; worlds lie beside the characters"

    def _names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(one.name for one in self.root.iterdir() if one.name[:1] not in (".", "_"))


def _stamps(folder: Path) -> tuple[FileStamp, ...]:
    return tuple(stamp_of(folder / name) for name in FILES)


def read_world(folder: Path, root: Path) -> tuple[World | None, tuple[Problem, ...]]:
    """Read a world and all that is wrong with its files; None where something is."""
    if why := _why_no_folder(folder, root):
        return None, (Problem(folder, 0, "", why),)
    card_file = yaml_file.read(folder / "world.yaml", root)
    lore_file = _read_lore(folder / "lore.yaml", root)
    card, lore = validate(WorldCard, card_file), validate(WorldLore, lore_file)
    if card:
        _check_card(card, folder.name, card_file)
    if card and lore:
        _check_conditions(lore, card, lore_file)
        check_entries(lore.entries, lore_file, card.language)
    problems = (*card_file.problems, *lore_file.problems)
    if problems or not (card and lore):
        return None, problems
    world = World(card, lore.entries)
    assert world.version  # reckoned here, in whatever thread reads: it takes a while
    return world, ()


def _check_conditions(lore: WorldLore, card: WorldCard, file: Document) -> None:
    declared = {variable.name: variable for variable in card.variables}
    for index, entry in enumerate(lore.entries):
        for what in faults(parse(entry.when), declared) if entry.when else ():
            file.report(("entries", index, "when"), what)


def _check_card(card: WorldCard, folder_name: str, file: Document) -> None:
    if card.id != folder_name:
        file.report(("id",), f"{card.id!r} differs from the folder's name {folder_name!r}")
    seen: Counter[str] = Counter()
    for index, variable in enumerate(card.variables):
        seen[variable.name] += 1
        if seen[variable.name] == 2:
            file.report(("variables", index, "name"), f"{variable.name!r} is declared twice")


def _read_lore(file: Path, root: Path) -> Document:
    """The shared lore; a world without the file has none."""
    if not file.exists() and not file.is_symlink():
        return Document(file, data={}, readable=True)
    return yaml_file.read(file, root, MAX_LORE_BYTES)


def _why_no_folder(folder: Path, root: Path) -> str:
    try:
        return "" if inside(folder, root).is_dir() else "is not a folder"
    except LinkError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
