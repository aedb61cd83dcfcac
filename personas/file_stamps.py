"""What tells that a file is another than before, without reading it.

Saving by rename brings another inode, saving in place another time; links are followed, so that a
file which two characters share counts for both.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

#: When, as which inode and how large a file was saved; None = it is not there.
FileStamp: TypeAlias = tuple[int, int, int, int] | None


def stamp_of(file: Path) -> FileStamp:
    """The stamp of a file."""
    try:
        found = os.stat(file)  # noqa: PTH116 - thousands of them: a Path's own takes twice as long
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)
