"""The keys that players' tokens are signed with: the newest signs, the one before it still counts.

Only this installation's servers and commands have them, so one secret signs and checks alike.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from npc_server.errors import KeysFileError
from npc_server.keys.private_file import changing, read_private, replace_private

FORMAT = 1
KEPT = 2  # the newest, and the one before it
_SECRET_BYTES = 32


@dataclass(frozen=True)
class SigningKey:
    """One secret that tokens are signed with."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    kid: str  # its public name, which a token carries
    secret: str  # hexadecimal
    made_at: datetime


@dataclass(frozen=True)
class _Content:
    __pydantic_config__ = ConfigDict(extra="forbid")

    format: int
    keys: tuple[SigningKey, ...]


_CONTENT = TypeAdapter(_Content)


def read_signing_keys(path: Path) -> tuple[SigningKey, ...]:
    """Those that count, newest first; none where there is no file. Raises KeysFileError."""
    written = read_private(path)
    if written is None:
        return ()
    try:
        if (number := json.loads(written)["format"]) != FORMAT:
            raise KeysFileError(f"{path}: format {number} is of a newer release; use that one")
        return _CONTENT.validate_json(written).keys
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, KeysFileError):
            raise
        raise KeysFileError(
            f"{path}: these are no signing keys, or they are damaged; delete the file: tokens that"
            " were minted are refused then, and new ones are minted under a new key"
        ) from error


def ensure_signing_key(path: Path) -> SigningKey:
    """The key that signs; made if there is none. Raises KeysFileError."""
    with changing(path):
        known = read_signing_keys(path)
        return known[0] if known else _add(path, known)


def rotate_signing_key(path: Path) -> SigningKey:
    """Sign with a new key from now on; the one before it counts on. Raises KeysFileError."""
    with changing(path):
        return _add(path, read_signing_keys(path))


def _add(path: Path, known: tuple[SigningKey, ...]) -> SigningKey:
    made = SigningKey(secrets.token_hex(4), secrets.token_hex(_SECRET_BYTES), datetime.now(UTC))
    content = _Content(FORMAT, (made, *known)[:KEPT])
    replace_private(path, _CONTENT.dump_json(content, indent=1))
    return made
