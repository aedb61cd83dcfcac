"""Casts for tests: Mira of the sample characters, drawn in another way."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from personas.persona_files import SAMPLE_CHARACTERS


def copy_cast(folder: Path, *characters: str) -> Path:
    """Copy sample characters, all unless some are named, and their world; returns the cast."""
    cast = folder / "cast"
    for name in characters or ("fenn", "mira", "orsolo"):
        shutil.copytree(SAMPLE_CHARACTERS / name, cast / name, dirs_exist_ok=True)
    shutil.copytree(SAMPLE_CHARACTERS.parent / "worlds", folder / "worlds", dirs_exist_ok=True)
    return cast


def mira_with(folder: Path, **sampling: float) -> Path:
    """The folder of a cast of Mira alone, with other values of her sampling."""
    home = copy_cast(folder, "mira") / "mira"
    card = yaml.safe_load((home / "persona.yaml").read_text(encoding="utf-8"))
    card["sampling"] |= sampling
    (home / "persona.yaml").write_text(yaml.safe_dump(card, allow_unicode=True), encoding="utf-8")
    return home.parent
