"""Files of models and adapters, which are strangers' often: plain ones alone are read.

A pipe would be waited for without end, and a device read without end.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def require_plain(path: Path) -> None:
    """Raise OSError for a pipe, a device and what is not there; a folder is told when opened."""
    kind = path.stat().st_mode
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise OSError(errno.EINVAL, "not a plain file; pipes and devices are not read", str(path))


def read_plain(path: Path, most_bytes: int) -> bytes:
    """All bytes of a file that has at most so many. Raises OSError, too, for one that has more."""
    require_plain(path)
    with path.open("rb") as stream:
        size = path.stat().st_size  # or room for the most would be made
        content = stream.read(min(size, most_bytes) + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes >> 10} KiB", str(path))
    return content
