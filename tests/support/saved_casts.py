"""A cast on disk that a test saves again while a server plays it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.casts import copy_cast


def cast_in(folder: Path, *names: str) -> Path:
    """A copy of some of the sample characters, with their world, to be edited."""
    return copy_cast(folder, *names)


def save(root: Path, character: str, old: str, new: str, file: str = "persona.yaml") -> None:
    """Replace some text of a character's file, as an editor that writes in place does."""
    path = root / character / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def copy_as(root: Path, character: str, name: str) -> None:
    """Add a character like another one under a new id."""
    shutil.copytree(root / character, root / name)
    save(root, name, f"id: {character}", f"id: {name}")
