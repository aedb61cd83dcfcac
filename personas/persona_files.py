"""Reads characters from their folders.

Files are untrusted. Loading either gives complete, consistent personas or raises one PersonaError
with every problem of every file: `mira/persona.yaml:12:3: voice.stile: unknown key; did you mean
'style'?`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
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
)
from personas.schema_errors import validate
from personas.yaml_file import Document

SAMPLE_CHARACTERS = Path(__file__).parent / "characters"


def load_characters(root: Path) -> dict[str, Persona]:
    """Every character below `root`, by id. Raises PersonaError with all problems of all files."""
    loads = [_load(folder, root) for folder in character_folders(root)]
    _raise_if_any(problem for load in loads for problem in load.problems)
    return {load.persona.id: load.persona for load in loads if load.persona}


def character_folders(root: Path) -> list[Path]:
    """The folders of characters below `root`, by name; at least one, or PersonaError is raised.

    Loose files, and folders that start with a dot or an underscore, are none. Any other folder is a
    character, without persona.yaml a broken one: a misspelt file must not make it disappear. So is
    a link to nothing.
    """
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        what = f"cannot be read as a folder of characters: {error.strerror}"
        raise PersonaError([Problem(root, 0, "", what)]) from error
    named = (entry for entry in entries if not entry.name.startswith((".", "_")))
    folders = [entry for entry in named if entry.is_dir() or not entry.exists()]
    if not folders:
        what = "holds no characters; each needs a folder with persona.yaml"
        raise PersonaError([Problem(root, 0, "", what)])
    return folders


def load_character(folder: Path) -> Persona:
    """The character in one folder. Raises PersonaError with all problems of its files.

    Links may lead to folders and files beside it.
    """
    load = _load(folder, folder.parent)
    _raise_if_any(load.problems)
    assert load.persona is not None  # no problems
    return load.persona


@dataclass(frozen=True)
class _Load:
    persona: Persona | None
    problems: tuple[Problem, ...]


def _raise_if_any(problems: Iterable[Problem]) -> None:
    if found := tuple(problems):
        raise PersonaError(found)


def _load(folder: Path, root: Path) -> _Load:
    if why := _why_no_folder(folder, root):
        return _Load(None, (Problem(folder, 0, "", why),))
    documents = [
        yaml_file.read(folder / name, root) for name in ("persona.yaml", "lore.yaml", "probes.yaml")
    ]
    persona = _assemble(folder.absolute().name, *documents)
    problems = tuple(
        p for document in documents for p in sorted(document.problems, key=attrgetter("line", "column"))
    )
    return _Load(persona, problems)


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
        check_probes(lore, sheet, probes_file)
    if card and sheet:
        check_probes_are_new(card, sheet, card_file)
    if not (card and lore and sheet):
        return None
    return Persona.model_validate({**dict(card), "lore": lore, "probes": sheet.probes})
