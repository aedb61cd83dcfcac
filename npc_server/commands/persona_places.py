"""Which characters a command is about: ids of the configured cast, folders of one or of many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from npc_server.commands.known_names import cast_of, require_known, require_there
from npc_server.config import Config
from personas.persona import Persona
from personas.persona_files import FILES, character_folders, load_character


def folders_of(named: Sequence[str], config: Config) -> list[Path]:
    """The folders of the named characters, of the whole cast when none is named.

    Raises ConfigError for a name that is neither, and PersonaError for a folder without characters.
    """
    if not named:
        return character_folders(config.paths.characters)
    return [folder for name in named for folder in _folders(name, config)]


def folder_of(name: str, config: Config) -> Path:
    """The folder of one character: an id of the cast goes before a folder. Raises ConfigError."""
    if _is_path(name, config):
        require_there("folder", Path(name))
        return Path(name)
    require_known("character", name, cast_of(config))
    return config.paths.characters / name


def character_of(name: str, config: Config) -> Persona:
    """One character in its world. Raises ConfigError and PersonaError."""
    folder = folder_of(name, config)
    return load_character(folder, config.paths.worlds_of(folder.absolute().parent))


def _folders(name: str, config: Config) -> list[Path]:
    if not _is_path(name, config):
        return [folder_of(name, config)]
    path = Path(name)
    require_there("folder", path)
    return [path] if any((path / file).exists() for file in FILES) else character_folders(path)


def _is_path(name: str, config: Config) -> bool:
    return "/" in name or (name not in cast_of(config) and Path(name).is_dir())
