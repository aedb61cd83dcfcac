"""Tokens for players: who they are and whom they may talk to, signed, and valid for hours at most.

A token names the game's key that it was minted with, and is refused when that is revoked. Nothing
in it is secret but its signature: a player can read their own.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt

from npc_server.errors import InvalidRequestError, UnauthenticatedError
from npc_server.keys.callers import Caller, Role
from npc_server.keys.followed_file import FollowedFile
from npc_server.keys.signing_keys import SigningKey, ensure_signing_key, read_signing_keys

MAX_S = 12 * 3600
DEFAULT_S = 3600
SKEW_S = 30  # that clocks of several servers may differ by
MOST_READ = 10_000  # tokens whose signatures are not checked again
_ALGORITHM = "HS256"
_ISSUER = "troupe"
_CLAIMS = ("iss", "sub", "iat", "exp", "game", "key")


@dataclass(frozen=True)
class Token:
    """A token as it was minted."""

    text: str
    expires_at: datetime


@dataclass(frozen=True)
class _Read:
    """A token whose signature was checked."""

    caller: Caller
    kid: str
    ends_s: float  # Unix time


class PlayerTokens:
    """Mints tokens, and finds out whose they are."""

    def __init__(self, path: Path) -> None:
        """Raises KeysFileError."""
        self._path = path
        self._keys = FollowedFile(path, read_signing_keys)
        self._read: OrderedDict[str, _Read] = OrderedDict()  # of late, by text

    def mint(
        self, minter: Caller, player_id: str, characters: Sequence[str], expires_in_s: int
    ) -> Token:
        """A token for a player of the minter's game; 0 seconds = DEFAULT_S, no characters = all.

        Raises InvalidRequestError and KeysFileError.
        """
        if expires_in_s > MAX_S:
            raise InvalidRequestError(f"expires_in_s is {expires_in_s}; ask for {MAX_S} at most")
        now = datetime.now(UTC).replace(microsecond=0)
        expires_at = now + timedelta(seconds=expires_in_s or DEFAULT_S)
        claims: dict[str, Any] = {
            "iss": _ISSUER,
            "sub": player_id,
            "iat": now,
            "exp": expires_at,
            "game": minter.game,
            "key": minter.key_id,
        }
        if characters:
            claims["characters"] = list(characters)
        key = self._signing_key()
        text = jwt.encode(claims, bytes.fromhex(key.secret), _ALGORITHM, headers={"kid": key.kid})
        return Token(text, expires_at)

    def caller_of(self, text: str) -> Caller:
        """Whose token this is; the key that minted it is to be checked still.

        Raises UnauthenticatedError.
        """
        read = self._read.get(text)
        if read is None or read.kid not in self._kids or time.time() >= read.ends_s:
            read = self._read_anew(text)
        return read.caller

    @property
    def _kids(self) -> list[str]:
        return [key.kid for key in self._keys.content]

    def _read_anew(self, text: str) -> _Read:
        """Check the signature, which takes ten times as long as all the rest of a call's entry."""
        self._read.pop(text, None)
        kid = _kid_of(text)
        claims = self._claims(text, kid)
        read = _Read(_caller(claims), kid, float(claims["exp"]) + SKEW_S)
        self._read[text] = read
        if len(self._read) > MOST_READ:
            self._read.popitem(last=False)
        return read

    def _signing_key(self) -> SigningKey:
        if not self._keys.content:
            ensure_signing_key(self._path)
            self._keys.catch_up()  # or tokens were refused until the next look
        return self._keys.content[0]

    def _claims(self, text: str, kid: str) -> Mapping[str, Any]:
        try:
            secret = next(one.secret for one in self._keys.content if one.kid == kid)
            claims: Mapping[str, Any] = jwt.decode(
                text,
                bytes.fromhex(secret),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                leeway=SKEW_S,
                options={"require": list(_CLAIMS)},
            )
        except jwt.ExpiredSignatureError as error:
            raise UnauthenticatedError("this token has run out: have the game mint one") from error
        except (jwt.InvalidTokenError, StopIteration) as error:
            raise _not_valid() from error
        return claims


def _kid_of(text: str) -> str:
    try:
        return str(jwt.get_unverified_header(text).get("kid"))
    except jwt.InvalidTokenError as error:
        raise _not_valid() from error


def _caller(claims: Mapping[str, Any]) -> Caller:
    named = claims.get("characters")
    return Caller(
        str(claims["key"]),
        frozenset({Role.PLAYER}),
        str(claims["game"]),
        str(claims["sub"]),
        None if named is None else frozenset(named),
    )


def _not_valid() -> UnauthenticatedError:
    return UnauthenticatedError(
        "this token is not valid: it was not minted here, or its signing key was replaced"
    )


def is_token(text: str) -> bool:
    """Whether a text has the form of a token, and not that of a key."""
    return text.count(".") == 2
