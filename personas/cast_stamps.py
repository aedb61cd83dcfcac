"""What tells that a character's files are others than before, without reading them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from personas.file_stamps import FileStamp, stamp_of
from personas.persona_files import FILES, character_folders
from personas.world_files import Worlds

#: Of each file when, as which inode and how large it was saved; None = it is not there.
Stamp = tuple[FileStamp, ...]


def stamps(root: Path, worlds: Worlds) -> dict[str, Stamp]:
    """The stamp of every character's folder below `root`, by name. Raises PersonaError.

    It is another, too, when any world was saved: whose it is only the files say.
    """
    shared = worlds.stamps()
    return {folder.name: (*_stamp(folder), *shared) for folder in character_folders(root)}


def changed_names(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> list[str]:
    """Folders that are new, or whose files are others than before."""
    return [name for name, stamp in now.items() if before.get(name) != stamp]


def _stamp(folder: Path) -> Stamp:
    return tuple(stamp_of(folder / name) for name in FILES)
