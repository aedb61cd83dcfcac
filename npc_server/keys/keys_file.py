"""The file of the keys: read whole, replaced whole, by one process at a time.

It holds no key, only hashes, and is its owner's alone. A revoked key stays in it, so that a file of
keys never looks like one in which none was ever made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from feedback_store.records import DEFAULT_GAME
from npc_server.errors import KeysFileError
from npc_server.keys.callers import Role
from npc_server.keys.key_text import KeyText, SecretHash, hash_of, new_key
from npc_server.keys.private_file import changing, read_private, replace_private

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
    written = read_private(path)
    if written is None:
        return ()
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
    with changing(path):
        keys = change(read_keys(path))
        replace_private(path, _CONTENT.dump_json(_Content(FORMAT, keys), indent=1))
        return keys


def _parse(path: Path, written: bytes) -> tuple[Key, ...]:
    try:
        if (number := json.loads(written)["format"]) != FORMAT:
            raise KeysFileError(f"{path}: format {number} is of a newer release; use that one")
        return _CONTENT.validate_json(written).keys
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, KeysFileError):
            raise
        raise KeysFileError(
            f"{path}: this is no file of keys, or it is damaged; restore it from a backup, or"
            " delete it and make all keys anew"
        ) from error
