"""One server per data folder.

Two servers on one store would each know half of the open sessions, and each swap adapters under the
other. The lock belongs to an open file, so the kernel takes it back however its holder ends, and
nobody has to clean up. Commands that train, report or delete beside the server do not take it: the
store and the adapter repo are made for that.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from npc_server.errors import ConfigError

logger = logging.getLogger(__name__)

FILE = "server.lock"

_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)  # some network file systems
_MAX_BYTES = 300  # of what the holder says about itself


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the data folder for the length of the block.

    Raises ConfigError, which names the holder, when another server has it, and when the folder
    cannot be written to.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # not passed on to the engine process
    except OSError as error:
        raise ConfigError(
            f"cannot write to the data folder {folder}: {error}; make it writable, or set another"
            " [paths] data"
        ) from error
    try:
        _lock(file, path)
        yield
    finally:
        os.close(file)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            logger.warning(
                "%s cannot be locked (%s): see to it yourself that no other server uses %s",
                path,
                error.strerror,
                path.parent,
            )
            return
        if error.errno not in _TAKEN:
            raise ConfigError(f"cannot lock {path}: {error}") from error
        raise ConfigError(
            f"cannot serve from {path.parent}: {_holder(file)} does already; stop that server, or"
            " set another [paths] data"
        ) from error
    _sign(file)


def _sign(file: int) -> None:
    """Write who holds the lock, for the one who meets it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    os.ftruncate(file, 0)
    os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}, since {now}".encode(), 0)


def _holder(file: int) -> str:
    said = os.pread(file, _MAX_BYTES, 0).decode(errors="replace").strip()
    return said or "another server"  # that has not signed yet
