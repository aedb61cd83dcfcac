"""What tells that a character's files are others than before, without reading them.

Saving by rename brings another inode, saving in place another time; links are followed, so that a
file which two characters share counts for both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from personas.persona_files import FILES, character_folders

#: Of each file when, as which inode and how large it was saved; None = it is not there.
Stamp = tuple[tuple[int, int, int, int] | None, ...]


def stamps(root: Path) -> dict[str, Stamp]:
    """The stamp of every character's folder below `root`, by name. Raises PersonaError."""
    return {folder.name: _stamp(folder) for folder in character_folders(root)}


def changed_names(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> list[str]:
    """Folders that are new, or whose files are others than before."""
    return [name for name, stamp in now.items() if before.get(name) != stamp]


def _stamp(folder: Path) -> Stamp:
    return tuple(_file_stamp(folder / name) for name in FILES)


def _file_stamp(file: Path) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - thousands of them: a Path's own takes twice as long
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)
