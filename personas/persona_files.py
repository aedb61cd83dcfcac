"""Reads characters from their folders.

Files are untrusted. Loading either gives complete, consistent personas or raises one PersonaError
with every problem of every file: `mira/persona.yaml:12:3: voice.stile: unknown key; did you mean
'style'?`. A cast of thousands is read by several processes side by side.
"""

import gc
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path

from personas import yaml_file
from personas.errors import PersonaError, Problem
from personas.links import LinkError, inside
from personas.persona import Card, Lore, Persona, ProbeSheet
from personas.persona_checks import (
    check_card,
    check_card_and_lore,
    check_lore,
    check_probes,
    check_probes_are_new,
    check_probes_of_card,
)
from personas.schema_errors import validate
from personas.world_files import MAX_LORE_BYTES, Worlds, worlds_beside
from personas.world_ties import Find, Tie, settle, ties_of
from personas.yaml_file import Document

SAMPLE_CHARACTERS = Path(__file__).parent / "characters"
FILES = ("persona.yaml", "lore.yaml", "probes.yaml")

#: A process more takes half a second until it reads; one character takes one or two milliseconds.
SIDE_BY_SIDE_FROM = 1000
_MOST_PROCESSES = 4
_PORTION = 100


@dataclass(frozen=True)
class Reading:
    """What the files of one folder say; without a persona they have problems."""

    name: str  # of the folder
    persona: Persona | None
    problems: tuple[Problem, ...]
    ties: tuple[Tie, ...] = ()  # what depends on its world


def load_characters(root: Path, worlds: Worlds | None = None) -> dict[str, Persona]:
    """Every character below `root`, by id, in its world. Raises PersonaError with all problems.

    None for worlds that lie beside `root`. What is wrong with one is told once, whoever names it.
    """
    known = worlds or Worlds(worlds_beside(root))
    readings = in_their_worlds(read_folders(character_folders(root), root), known)
    problems = (problem for reading in readings for problem in reading.problems)
    _raise_if_any(dict.fromkeys(problems))
    return {reading.persona.id: reading.persona for reading in readings if reading.persona}


def in_its_world(reading: Reading, worlds: Worlds) -> Reading:
    """A character in its world, with what that rules out."""
    return _in_its_world(reading, worlds.find)


def in_their_worlds(readings: Iterable[Reading], worlds: Worlds) -> list[Reading]:
    """The same of many; the disk is asked once for each world, not for each character."""
    find = cache(worlds.find)
    return [_in_its_world(reading, find) for reading in readings]


def _in_its_world(reading: Reading, find: Find) -> Reading:
    if reading.persona is None:
        return reading
    persona, problems = settle(reading.persona, reading.ties, find)
    return Reading(reading.name, None if problems else persona, problems, reading.ties)


def read_folders(folders: Sequence[Path], root: Path) -> list[Reading]:
    """Read the characters in these folders below `root`, whatever is wrong with them."""
    if len(folders) < SIDE_BY_SIDE_FROM:
        return [read_folder(folder, root) for folder in folders]
    processes = min(_MOST_PROCESSES, len(os.sched_getaffinity(0)))
    # A fork would inherit the threads and locks of gRPC. What is read has no circles, and the
    # garbage collector would walk through all of it again and again.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=gc.disable) as pool:
        return list(pool.map(partial(read_folder, root=root), folders, chunksize=_PORTION))


def character_folders(root: Path) -> list[Path]:
    """The folders of characters below `root`, by name; at least one, or PersonaError is raised.

    Loose files, and folders that start with a dot or an underscore, are none. Any other folder is a
    character, without persona.yaml a broken one: a misspelt file must not make it disappear. So is
    a link to nothing.
    """
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if _is_character(entry))
    except OSError as error:
        what = f"cannot be read as a folder of characters: {error.strerror}"
        raise PersonaError([Problem(root, 0, "", what)]) from error
    folders = [root / name for name in names]
    if not folders:
        what = "holds no characters; each needs a folder with persona.yaml"
        raise PersonaError([Problem(root, 0, "", what)])
    return folders


def _is_character(entry: os.DirEntry[str]) -> bool:
    """Whether it is a character's; of all but links the listing tells, without another look."""
    if entry.name.startswith((".", "_")):
        return False
    if not entry.is_symlink():
        return entry.is_dir()
    return Path(entry).is_dir() or not Path(entry).exists()


def load_character(folder: Path, worlds: Worlds | None = None) -> Persona:
    """The character in one folder, in its world. Raises PersonaError with all problems.

    Links may lead to folders and files beside it. Worlds lie as for `load_characters`.
    """
    known = worlds or Worlds(worlds_beside(folder.absolute().parent))
    reading = in_its_world(read_folder(folder, folder.parent), known)
    _raise_if_any(reading.problems)
    assert reading.persona is not None  # no problems
    return reading.persona


def _raise_if_any(problems: Iterable[Problem]) -> None:
    if found := tuple(problems):
        raise PersonaError(found)


def read_folder(folder: Path, root: Path) -> Reading:
    """Read one character, whatever is wrong with it; its links may not lead out of `root`."""
    name = folder.absolute().name
    if why := _why_no_folder(folder, root):
        return Reading(name, None, (Problem(folder, 0, "", why),))
    return _reading(name, [yaml_file.read(folder / file, root, _most(file)) for file in FILES])


def _most(file: str) -> int:
    """The bytes that a file may have: lore has many entries, in a character as in a world."""
    return MAX_LORE_BYTES if file == "lore.yaml" else yaml_file.MAX_BYTES


def read_texts(folder: Path, texts: Mapping[str, str]) -> Reading:
    """Read a character from the texts of its files, by file name, as if they lay in `folder`."""
    documents = [yaml_file.parse(folder / file, texts.get(file, "")) for file in FILES]
    return _reading(folder.name, documents)


def _reading(name: str, documents: Sequence[Document]) -> Reading:
    persona = _assemble(name, *documents)
    ties = ties_of(persona, *documents) if persona else ()
    problems = tuple(
        problem
        for document in documents
        for problem in sorted(document.problems, key=attrgetter("line", "column"))
    )
    return Reading(name, None if problems else persona, problems, ties)


def _why_no_folder(folder: Path, root: Path) -> str:
    try:
        return "" if inside(folder, root).is_dir() else "is not a folder"
    except LinkError as error:
        return str(error)
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _assemble(
    folder_name: str, card_file: Document, lore_file: Document, probes_file: Document
) -> Persona | None:
    card = validate(Card, card_file)
    lore = validate(Lore, lore_file)
    sheet = validate(ProbeSheet, probes_file)
    if card:
        check_card(folder_name, card, card_file)
    if lore:
        check_lore(lore, lore_file)
    if card and lore:
        check_card_and_lore(card, lore, card_file, lore_file)
    if lore and sheet:
        check_probes(lore, sheet, probes_file, card.world if card else None)
    if card and sheet:
        check_probes_of_card(card, sheet, probes_file)
        check_probes_are_new(card, sheet, card_file)
    if not (card and lore and sheet):
        return None
    return Persona.model_validate({**dict(card), "lore": lore, "probes": sheet.probes})
