"""Casts for tests: sample characters, drawn in another way or with triggers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

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


def mira_who_speaks_of(folder: Path, *triggers: dict[str, Any]) -> Path:
    """The folder of a cast of Mira alone, with these triggers."""
    return with_triggers(copy_cast(folder, "mira"), "mira", *triggers)


def with_triggers(cast: Path, character: str, *triggers: dict[str, Any]) -> Path:
    """The same cast, in which a character has these triggers."""
    file = cast / character / "persona.yaml"
    card = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**card, "triggers": list(triggers)}), encoding="utf-8")
    return cast
