"""Files of secrets: their owner's alone, replaced whole, changed by one process at a time."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_store.publishing import sync_folder
from npc_server.errors import KeysFileError


def read_private(path: Path) -> bytes | None:
    """What is in a file; None = there is none.

    Raises KeysFileError if it cannot be read, or is open to other users of the machine.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            written = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeysFileError(f"{path}: cannot read it ({error.strerror or error})") from error
    if mode & 0o077:
        raise KeysFileError(
            f"{path}: other users may read or change this file of secrets (mode {mode:04o});"
            f" run: chmod 600 {path}"
        )
    return written


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file in the block. Raises KeysFileError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise KeysFileError(f"{path}: cannot change it ({error.strerror or error})") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def replace_private(path: Path, content: bytes) -> None:
    """Put a whole new file in its place. Raises KeysFileError."""
    try:
        _replace(path, content)
    except OSError as error:
        raise KeysFileError(f"{path}: cannot write it ({error.strerror or error})") from error


def _replace(path: Path, content: bytes) -> None:
    handle, sibling = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(sibling).replace(path)
    except BaseException:
        Path(sibling).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
