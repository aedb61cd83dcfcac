"""Folders that one living process has to itself.

A claim is a lock (flock) on the folder; the kernel drops it with the process that holds it, so an
unlocked folder is nobody's. Needs a POSIX system.
"""

import fcntl
import os
from pathlib import Path


def claim_folder(folder: Path) -> int | None:
    """A descriptor that holds the folder until it is closed, or None when somebody else does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
