"""Files that strangers may have put in place: plain ones, of a size that memory holds.

A pipe would be waited for without end, and a device read without end. What is looked at is what was
opened, so that nothing can be put in its place between the two.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_plain(file: Path) -> BinaryIO:
    """Open a file to read its bytes. Raises OSError, too, for a pipe, a device and a folder."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(kind := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
        raise OSError(errno.EINVAL, "not a plain file; pipes and devices are not read", str(file))
    return os.fdopen(descriptor, "rb")


def read_plain(file: Path, most_bytes: int) -> bytes:
    """All bytes of a file that has at most so many. Raises OSError, too, for one that has more."""
    with open_plain(file) as stream:
        size = os.fstat(stream.fileno()).st_size  # or room for the most would be made
        content = stream.read(min(size, most_bytes) + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes >> 10} KiB", str(file))
    return content
