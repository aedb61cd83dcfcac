"""A key as its holder has it, and what is kept of it: a slow, salted hash. Pure but for chance.

A key is `npc_`, its public id, `_` and a secret of 256 random bits. The id finds the one hash to
compare with, so a call with a made-up key costs no hash at all.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

ID_SIGNS = 8
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that is read as something else
_KEY = re.compile(rf"npc_([{_ALPHABET}]{{{ID_SIGNS}}})_([A-Za-z0-9_-]{{43}})")
_SALT_BYTES = 16
_N, _R, _P = 1 << 14, 8, 1  # 16 MiB and some 40 ms


@dataclass(frozen=True)
class SecretHash:
    """What is kept of a secret: enough to recognise it, with the cost that it was made at."""

    salt: str  # hexadecimal, as the digest
    digest: str
    n: int = _N
    r: int = _R
    p: int = _P


@dataclass(frozen=True)
class KeyText:
    """A key, taken apart."""

    key_id: str
    secret: str

    def __str__(self) -> str:
        return f"npc_{self.key_id}_{self.secret}"


def new_key() -> KeyText:
    """A key that nobody has."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(ID_SIGNS))
    return KeyText(key_id, secrets.token_urlsafe(32))


def parse_key(text: str) -> KeyText | None:
    """The key that a text is; None = it has another form."""
    found = _KEY.fullmatch(text)
    return KeyText(*found.groups()) if found else None


def hash_of(secret: str) -> SecretHash:
    """The hash to keep of a secret. Takes the time of a slow hash."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return SecretHash(salt.hex(), _digest(secret, salt, _N, _R, _P).hex())


def is_secret_of(secret: str, kept: SecretHash) -> bool:
    """Whether the hash was made of this secret. Takes the time of a slow hash."""
    digest = _digest(secret, bytes.fromhex(kept.salt), kept.n, kept.r, kept.p)
    return hmac.compare_digest(digest, bytes.fromhex(kept.digest))


def _digest(secret: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        secret.encode(), salt=salt, n=n, r=r, p=p, maxmem=2 * 128 * n * r, dklen=32
    )
