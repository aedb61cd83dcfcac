"""`npc persona new`: a character to begin with, beside those that are there."""

from __future__ import annotations

import re
from pathlib import Path

from npc_server.config import Config
from npc_server.errors import ConfigError
from personas.authored_fields import ID_PATTERN
from personas.json_schemas import BESIDE_CHARACTERS, write_schemas
from personas.persona_files import SAMPLE_CHARACTERS
from personas.starter import starter


def cast_folder(asked: Path | None, config: Config) -> Path:
    """Where new characters go: as asked, else as configured. Raises ConfigError."""
    if asked is not None:
        return asked
    if config.paths.characters == SAMPLE_CHARACTERS:
        raise ConfigError(
            "no folder of your own is set up: name one with --in my_cast, and serve it with"
            ' [paths] characters = "my_cast" in npc.toml'
        )
    return config.paths.characters


def write_starter(root: Path, character: str) -> Path:
    """Write a character below `root`; returns its folder. Raises ConfigError and OSError."""
    if not re.fullmatch(ID_PATTERN, character):
        raise ConfigError(
            f"{character!r} is no id of a character: begin with a letter, then a-z, 0-9, - and _"
        )
    folder = root / character
    if folder.exists():
        raise ConfigError(f"{folder} is there already; choose another name, or edit it")
    folder.mkdir(parents=True)
    for name, text in starter(character).items():
        (folder / name).write_text(text, encoding="utf-8")
    write_schemas(root / BESIDE_CHARACTERS)
    return folder
