"""Files that are there whole or not at all: written in a folder of their own beside the target,
synced, then renamed.

What a killed writer leaves behind may hold players' words, so the next writer removes it: the
kernel drops a dead process's lock, and an unlocked folder is nobody's. Needs a POSIX system.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".unfinished-"
_OWNED_AFTER_S = 60.0  # a younger folder may be between its creation and its lock


@contextmanager
def workplace(beside: Path) -> Iterator[Path]:
    """Yield a private folder on the disk of `beside`, removed afterwards. Raises OSError."""
    _sweep(beside.parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside.parent))
    claim = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(claim, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(claim)


def publish(written: Path, target: Path) -> None:
    """Make a written file the target, readable by its owner alone. Raises OSError."""
    written.chmod(0o600)
    with written.open("rb") as stream:
        os.fsync(stream.fileno())
    written.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    for leftover in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # gone meanwhile, or its writer lives
            if time.time() - leftover.stat().st_mtime > _OWNED_AFTER_S:
                _remove_unlocked(leftover)


def _remove_unlocked(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
