"""Players under another name: a keyed hash of their id, and the key it is made with.

The same key and id always give the same pseudonym, so a player's rows belong together and are
found again by the id. Without the key nobody can find the id, not even by trying all. The key is a
file of its own, never in the database: made once, read by everyone who needs it, and shown nowhere.
Losing it means that no player can be found by id again.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
import tempfile
import unicodedata
from base64 import b32encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from feedback_store.errors import KeyFileError
from feedback_store.publishing import sync_folder
from feedback_store.records import DEFAULT_GAME

KEY_BYTES = 32
_PREFIX = "p1-"  # 1 = the scheme below; a change of it needs another number
_SIGNS = 26  # base32: among a billion players, the chance that any two share one is 4e-22
_PSEUDONYM = re.compile(rf"{_PREFIX}[a-z2-7]{{{_SIGNS}}}")
_PURPOSE = b"troupe player pseudonym 1\0"
_KEY_TEXT = re.compile(rb"[0-9a-fA-F]{64}\r?\n?")
_NEVER_REPLACE = (
    "restore the file from a backup; with another key, no stored player can be found by id again"
)


class Pseudonyms:
    """The pseudonyms of players under one key of 32 bytes. Safe to share between threads."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key for pseudonyms has {KEY_BYTES} bytes, not {len(key)}")
        self._keyed = hmac.new(key, _PURPOSE, sha256)

    def of(self, player_id: str, game: str = DEFAULT_GAME) -> str:
        """The pseudonym of a game's player; ids that differ only in Unicode composition share one.

        Players of two games are two, whatever their ids, so that no game meets another's.
        """
        keyed = self._keyed.copy()
        if game != DEFAULT_GAME:  # whose players were known before there were several games
            keyed.update(game.encode("utf-8", "surrogatepass") + b"\0")
        # Lone surrogates come from games that cut names; they are told apart, not refused.
        keyed.update(unicodedata.normalize("NFC", player_id).encode("utf-8", "surrogatepass"))
        return _PREFIX + b32encode(keyed.digest()).decode()[:_SIGNS].lower()


def is_pseudonym(text: str) -> bool:
    """Whether a text has the form of a pseudonym; under which key, nobody can tell."""
    return _PSEUDONYM.fullmatch(text) is not None


def ensure_key(path: Path) -> bytes:
    """Return the key in `path`; make one if there is none. Processes that start together agree.

    Raises KeyFileError if it cannot be read or made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _publish_key(path, secrets.token_bytes(KEY_BYTES))
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot make the key of the players' pseudonyms ({error.strerror or error}); "
            "make the folder writable for this user"
        ) from error
    return read_key(path)


def key_for(path: Path, known_player: str | None) -> bytes:
    """The key of a store whose latest player is `known_player`; made only if that is no pseudonym.

    A new key in place of a lost one would make strangers of all known players. Raises KeyFileError.
    """
    return read_key(path) if is_pseudonym(known_player or "") else ensure_key(path)


def read_key(path: Path) -> bytes:
    """The key in this file.

    Raises KeyFileError if it is missing, damaged or open to other users of the machine.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            written = file.read(KEY_BYTES * 4)
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot read the key of the players' pseudonyms ({error.strerror or error}); "
            f"{_NEVER_REPLACE}"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(
            f"{path}: other users may read or change the key of the players' pseudonyms "
            f"(mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}"
        )
    if not _KEY_TEXT.fullmatch(written):
        raise KeyFileError(
            f"{path}: the key of the players' pseudonyms must be 64 hexadecimal digits, "
            f"and the file's {len(written)} bytes are not; {_NEVER_REPLACE}"
        )
    return bytes.fromhex(written.decode())


def _publish_key(path: Path, key: bytes) -> None:
    """Put a whole key there unless another process was first. Raises OSError."""
    handle, sibling = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first
            path.hardlink_to(sibling)  # unlike a rename, replaces nothing
    finally:
        Path(sibling).unlink()
    sync_folder(path.parent)
