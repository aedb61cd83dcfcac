"""Links in a folder of characters: followed while they stay inside it.

Kubernetes mounts a folder as links to a hidden one (`mira -> ..data/mira`), which it replaces as a
whole. A link that leads out could make a stranger's file part of a prompt.
"""

from __future__ import annotations

import stat
from pathlib import Path


class LinkError(ValueError):
    """A link is not followed."""


def _leads_nowhere_else(path: Path, folder: Path) -> bool:
    """Whether a path in `folder`, or in a folder in it, is there without a link on its way.

    That saves most of the looks at the disk that resolving it takes.
    """
    if path.parent == folder:
        way = [path]
    elif path.parent.parent == folder:
        way = [path.parent, path]
    else:
        return False
    return ".." not in (path.name, path.parent.name) and all(_is_no_link(step) for step in way)


def _is_no_link(path: Path) -> bool:
    try:
        return not stat.S_ISLNK(path.lstat().st_mode)
    except OSError:
        return False  # told by who resolves it


def inside(path: Path, folder: Path) -> Path:
    """The file or folder that `path` leads to, if it lies in `folder` as that leads to.

    Raises LinkError for a way out and for a link to nothing, and FileNotFoundError and OSError for
    a plain path.
    """
    if _leads_nowhere_else(path, folder):
        return path
    try:
        real = path.resolve(strict=True)
    except RuntimeError as error:  # of links that lead to each other
        raise LinkError("is a link that leads to itself") from error
    except FileNotFoundError as error:
        if path.is_symlink():
            raise LinkError(f"is a link to {path.readlink()}, which is not there") from error
        raise
    if not real.is_relative_to(folder.resolve()):
        raise LinkError(f"leads out of {folder} to {real}; only links inside of it are followed")
    return real
