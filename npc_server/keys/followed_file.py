"""A file that a running server follows: read again when it has changed, at most once a second.

What is damaged or gone changes nothing, with a line in the log: the server goes on with what it
knew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from npc_server.errors import KeysFileError

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

ContentT = TypeVar("ContentT")
_Stamp: TypeAlias = tuple[int, int, int] | None


class FollowedFile(Generic[ContentT]):
    """The content of a file, as `read` makes it of its path."""

    def __init__(self, path: Path, read: Callable[[Path], ContentT]) -> None:
        """Raises what `read` does."""
        self._path = path
        self._read = read
        self._stamp = _stamp(path)
        self._content = read(path)
        self._looked_s = time.monotonic()

    @property
    def content(self) -> ContentT:
        """What is in it now, as far as that can be read."""
        if time.monotonic() - self._looked_s >= LOOK_EVERY_S:
            self.catch_up()
        return self._content

    def catch_up(self) -> None:
        """Look now whether it has changed."""
        self._looked_s = time.monotonic()
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            if stamp is None:
                raise KeysFileError(f"{self._path}: the file is gone")
            self._content = self._read(self._path)
        except KeysFileError as error:
            logger.error("%s; the server goes on with what was in it before", error)


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ino, status.st_size)
