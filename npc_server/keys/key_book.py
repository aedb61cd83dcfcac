"""The keys that a running server knows: the file as it is now, and who has just proved theirs.

A slow hash is computed once for a key and a while, on a thread of its own and one at a time, so
that calls with wrong keys delay no reply. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from npc_server.errors import QuotaError, UnauthenticatedError
from npc_server.keys.callers import Caller
from npc_server.keys.followed_file import FollowedFile
from npc_server.keys.key_text import is_secret_of, parse_key
from npc_server.keys.keys_file import Key, read_keys

PROOF_HOLDS_S = 300.0
MAX_WAITING = 32  # keys that nobody has proved yet; more are refused


class KeyBook:
    """Finds out whose a key is."""

    def __init__(self, path: Path) -> None:
        """Raises KeysFileError."""
        self._file = FollowedFile(path, _keys_by_id)
        self._proved: dict[bytes, tuple[str, float]] = {}  # key id and end, by hash of the text
        self._hashing = asyncio.Semaphore(1)
        self._proving: dict[bytes, asyncio.Task[str]] = {}

    def has_keys(self) -> bool:
        """Whether a key was ever made."""
        return bool(self._file.content)

    async def caller_of(self, text: str) -> Caller:
        """Whose key this is. Raises UnauthenticatedError and QuotaError."""
        proof = sha256(text.encode("utf-8", "surrogatepass")).digest()
        key_id, ends_s = self._proved.get(proof, ("", 0.0))
        if time.monotonic() >= ends_s:
            key_id = await self._prove_once(text, proof)
        return _caller(self.require_valid(key_id))

    async def _prove_once(self, text: str, proof: bytes) -> str:
        """Prove a key; calls that bring the same one meanwhile wait for the same hash."""
        if proof not in self._proving:
            if len(self._proving) >= MAX_WAITING:
                raise QuotaError("too many keys wait to be checked", retry_after_s=1.0)
            task = asyncio.create_task(self._prove(text, proof))
            self._proving[proof] = task
            task.add_done_callback(lambda _: self._proving.pop(proof))
        return await asyncio.shield(self._proving[proof])

    async def _prove(self, text: str, proof: bytes) -> str:
        parsed = parse_key(text)
        if parsed is None:
            raise UnauthenticatedError(
                "this is neither a key nor a token; send what `npc keys new` printed"
            )
        key = self.require_valid(parsed.key_id)
        async with self._hashing:
            matches = await asyncio.to_thread(is_secret_of, parsed.secret, key.hash)
        if not matches:
            raise _not_valid()
        self._forget_old_proofs()
        self._proved[proof] = (key.key_id, time.monotonic() + PROOF_HOLDS_S)
        return key.key_id

    def require_valid(self, key_id: str) -> Key:
        """A key that is not revoked. Raises UnauthenticatedError."""
        key = self._file.content.get(key_id)
        if key is None or key.revoked_at is not None:
            raise _not_valid()
        return key

    def _forget_old_proofs(self) -> None:
        now_s = time.monotonic()
        self._proved = {proof: one for proof, one in self._proved.items() if one[1] > now_s}


def _keys_by_id(path: Path) -> Mapping[str, Key]:
    return {key.key_id: key for key in read_keys(path)}


def _caller(key: Key) -> Caller:
    return Caller(key.key_id, frozenset(key.roles), key.game)


def _not_valid() -> UnauthenticatedError:
    return UnauthenticatedError("this key is not valid: it was revoked, or is not of this server")
