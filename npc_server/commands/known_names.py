"""Names that people type: what is known of each kind, and what becomes of one that is not.

A name that does not exist ends a command with exit code 2 before it reads or writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from npc_server.base_models.resolution import ModelPlaces, names
from npc_server.config import Config
from npc_server.errors import ConfigError
from personas.authored_fields import ID_PATTERN
from personas.errors import PersonaError
from personas.known_names import no_such, no_such_file
from personas.persona_files import character_folders


def cast_of(config: Config) -> set[str]:
    """The configured characters, broken ones too; none where the folder cannot be read."""
    try:
        return {folder.name for folder in character_folders(config.paths.characters)}
    except PersonaError:
        return set()


def with_versions(config: Config) -> set[str]:
    """Characters that have adapters or reward heads, those that left the cast too."""
    roots = (config.paths.adapters, config.paths.heads)
    folders = (folder for root in roots if root.is_dir() for folder in root.iterdir())
    return {folder.name for folder in folders if re.fullmatch(ID_PATTERN, folder.name)}


def require_known(what: str, name: str, known: Iterable[str]) -> None:
    """Raise ConfigError, with the nearest name and the known ones, for a name that is not known."""
    names = known if isinstance(known, Collection) else list(known)
    if name not in names:
        raise ConfigError(no_such(what, name, names))


def require_there(what: str, path: Path) -> None:
    """Raise ConfigError for a file or folder that is not there, with the one that was meant."""
    if not path.exists():
        raise ConfigError(no_such_file(what, path))


def require_base(base: str, places: ModelPlaces) -> None:
    """Raise ConfigError for what is neither the name of a base model nor a file."""
    known = names(places)
    if base in known:
        return
    path = Path(base).expanduser()
    if path.suffix or len(path.parts) > 1:
        require_there("GGUF file", path)
    elif not path.is_file():
        raise ConfigError(no_such("base model", base, known))
