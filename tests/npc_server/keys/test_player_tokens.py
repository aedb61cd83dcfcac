"""Tokens of players."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from npc_server.errors import InvalidRequestError, UnauthenticatedError
from npc_server.keys import followed_file, player_tokens
from npc_server.keys.callers import Caller, Role
from npc_server.keys.player_tokens import MAX_S, SKEW_S, PlayerTokens, is_token
from npc_server.keys.signing_keys import read_signing_keys, rotate_signing_key

GAME = Caller("k2345678", frozenset({Role.GAME}), "salt")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of signing keys that are looked at before every call."""
    monkeypatch.setattr(followed_file, "LOOK_EVERY_S", 0.0)
    return tmp_path / "signing.json"


def forged(path: Path, **changes: Any) -> str:
    """A token with some claims of one's own, signed as the server does."""
    (key,) = read_signing_keys(path)
    now = datetime.now(UTC)
    claims = {"iss": "troupe", "sub": "ann", "iat": now, "exp": now + timedelta(hours=1)}
    claims |= {"game": "salt", "key": "k2345678", **changes}
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, bytes.fromhex(key.secret), "HS256", headers={"kid": key.kid})


def test_a_token_tells_whose_it_is(path: Path) -> None:
    minted = PlayerTokens(path).mint(GAME, "ann", ["mira"], 60)
    caller = PlayerTokens(path).caller_of(minted.text)
    player = frozenset({Role.PLAYER})
    assert caller == Caller("k2345678", player, "salt", "ann", frozenset({"mira"}))
    assert is_token(minted.text)


def test_a_token_is_valid_from_the_first_moment_on(path: Path) -> None:
    tokens = PlayerTokens(path)
    assert tokens.caller_of(tokens.mint(GAME, "ann", [], 60).text).characters is None


def test_a_token_that_was_read_runs_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = PlayerTokens(path)
    minted = tokens.mint(GAME, "ann", [], 60)
    assert tokens.caller_of(minted.text) is tokens.caller_of(minted.text)
    later_s = minted.expires_at.timestamp() + SKEW_S
    monkeypatch.setattr(player_tokens, "time", SimpleNamespace(time=lambda: later_s))
    monkeypatch.setattr(jwt, "decode", _run_out)
    with pytest.raises(UnauthenticatedError, match="has run out"):
        tokens.caller_of(minted.text)


def _run_out(*_: Any, **__: Any) -> None:
    raise jwt.ExpiredSignatureError


def test_a_token_for_too_long_is_not_minted(path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=str(MAX_S)):
        PlayerTokens(path).mint(GAME, "ann", [], MAX_S + 1)


def test_a_token_counts_through_one_change_of_the_signing_key_and_no_second(path: Path) -> None:
    tokens = PlayerTokens(path)
    text = tokens.mint(GAME, "ann", [], 60).text
    rotate_signing_key(path)
    assert tokens.caller_of(text).player_id == "ann"
    assert tokens.caller_of(tokens.mint(GAME, "bob", [], 60).text).player_id == "bob"
    rotate_signing_key(path)
    with pytest.raises(UnauthenticatedError, match="not valid"):
        tokens.caller_of(text)


@pytest.mark.parametrize("late_s", [0, SKEW_S - 5])
def test_clocks_may_differ_a_little(path: Path, late_s: int) -> None:
    tokens = PlayerTokens(path)
    tokens.mint(GAME, "ann", [], 60)
    ended = datetime.now(UTC) - timedelta(seconds=late_s)
    assert tokens.caller_of(forged(path, exp=ended)).player_id == "ann"


LONG_AGO, LONG_AFTER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": LONG_AGO},
        {"iat": LONG_AFTER},
        {"iss": "somebody"},
        *({name: None} for name in ("sub", "exp", "iat", "game", "key")),
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(path: Path, changes: dict[str, Any]) -> None:
    tokens = PlayerTokens(path)
    tokens.mint(GAME, "ann", [], 60)
    with pytest.raises(UnauthenticatedError):
        tokens.caller_of(forged(path, **changes))


def test_an_unsigned_token_is_refused(path: Path) -> None:
    tokens = PlayerTokens(path)
    text = tokens.mint(GAME, "ann", [], 60).text
    claims = jwt.decode(text, options={"verify_signature": False})
    (key,) = read_signing_keys(path)
    for bare in (
        jwt.encode(claims, None, "none", headers={"kid": key.kid}),
        text.rpartition(".")[0] + ".",
        jwt.encode(claims, b"x" * 32, "HS256", headers={"kid": key.kid}),
        jwt.encode(claims, b"x" * 32, "HS256"),
        "..",
    ):
        with pytest.raises(UnauthenticatedError):
            tokens.caller_of(bare)
