"""The file of the keys: read whole, replaced whole, by one process at a time.

It holds no key, only hashes, and is its owner's alone. A revoked key stays in it, so that a file of
keys never looks like one in which none was ever made.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from feedback_store.publishing import sync_folder
from feedback_store.records import DEFAULT_GAME
from npc_server.errors import KeysFileError
from npc_server.keys.callers import Role
from npc_server.keys.key_text import KeyText, SecretHash, hash_of, new_key

FORMAT = 1


@dataclass(frozen=True)
class Key:
    """A key that was made, as it is kept."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    key_id: str
    name: str  # whose it is, in the studio's words
    game: str
    roles: tuple[Role, ...]
    hash: SecretHash
    made_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. Its text is kept nowhere."""

    text: KeyText
    key: Key


@dataclass(frozen=True)
class _Content:
    __pydantic_config__ = ConfigDict(extra="forbid")

    format: int
    keys: tuple[Key, ...]


_CONTENT = TypeAdapter(_Content)


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys that were ever made, oldest first; none where there is no file.

    Raises KeysFileError if it is damaged, or open to other users of the machine.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            written = file.read()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeysFileError(f"{path}: cannot read the keys ({error.strerror or error})") from error
    if mode & 0o077:
        raise KeysFileError(
            f"{path}: other users may read or change the keys (mode {mode:04o}); run: chmod 600"
            f" {path}"
        )
    return _parse(path, written)


def add_key(path: Path, name: str, roles: Sequence[Role], game: str = DEFAULT_GAME) -> NewKey:
    """Make a key. Raises KeysFileError."""
    text = new_key()
    made = Key(text.key_id, name, game, tuple(roles), hash_of(text.secret), datetime.now(UTC))
    _change(path, lambda keys: (*keys, made))
    return NewKey(text, made)


def revoke_key(path: Path, key_id: str) -> Key | None:
    """Revoke a key, which one can do again; None = there is none with this id.

    Raises KeysFileError.
    """
    now = datetime.now(UTC)

    def revoke(key: Key) -> Key:
        asked = key.key_id == key_id and key.revoked_at is None
        return replace(key, revoked_at=now) if asked else key

    keys = _change(path, lambda keys: tuple(map(revoke, keys)))
    return next((key for key in keys if key.key_id == key_id), None)


def _change(path: Path, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> tuple[Key, ...]:
    try:
        with _only_one(path):
            keys = change(read_keys(path))
            _replace(path, _CONTENT.dump_json(_Content(FORMAT, keys), indent=1))
            return keys
    except KeysFileError:
        raise
    except OSError as error:
        raise KeysFileError(f"{path}: cannot write the keys ({error.strerror or error})") from error


def _parse(path: Path, written: bytes) -> tuple[Key, ...]:
    try:
        if (number := json.loads(written)["format"]) != FORMAT:
            raise KeysFileError(f"{path}: format {number} is of a newer release; use that one")
        return _CONTENT.validate_json(written).keys
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise KeysFileError(
            f"{path}: this is no file of keys, or it is damaged; restore it from a backup, or"
            " delete it and make all keys anew"
        ) from error


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


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
