"""The keys that a running server knows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from npc_server.errors import UnauthenticatedError
from npc_server.keys import followed_file, key_book
from npc_server.keys.callers import Caller, Role
from npc_server.keys.key_book import KeyBook
from npc_server.keys.key_text import SecretHash, is_secret_of, new_key
from npc_server.keys.keys_file import add_key, revoke_key


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a file that is looked at before every call."""
    monkeypatch.setattr(followed_file, "LOOK_EVERY_S", 0.0)
    return tmp_path / "keys.json"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets that were hashed."""
    secrets: list[str] = []

    def note(secret: str, kept: SecretHash) -> bool:
        secrets.append(secret)
        return is_secret_of(secret, kept)

    monkeypatch.setattr(key_book, "is_secret_of", note)
    return secrets


async def test_a_key_tells_whose_it_is(path: Path) -> None:
    made = add_key(path, "x", [Role.GAME], "saltmere")
    caller = await KeyBook(path).caller_of(str(made.text))
    assert caller == Caller(made.key.key_id, frozenset({Role.GAME}), "saltmere")


async def test_calls_with_the_same_key_cost_one_hash(path: Path, hashed: list[str]) -> None:
    text = str(add_key(path, "x", [Role.GAME]).text)
    book = KeyBook(path)
    await asyncio.gather(*(book.caller_of(text) for _ in range(50)))
    await book.caller_of(text)
    assert len(hashed) == 1


async def test_a_made_up_key_costs_no_hash(path: Path, hashed: list[str]) -> None:
    add_key(path, "x", [Role.GAME])
    for text in ("", "hello", str(new_key())):
        with pytest.raises(UnauthenticatedError):
            await KeyBook(path).caller_of(text)
    assert hashed == []


async def test_a_wrong_secret_is_refused(path: Path) -> None:
    made = add_key(path, "x", [Role.GAME])
    forged = f"npc_{made.key.key_id}_{new_key().secret}"
    with pytest.raises(UnauthenticatedError, match="not valid"):
        await KeyBook(path).caller_of(forged)


async def test_a_revoked_key_is_refused_although_it_was_proved(path: Path) -> None:
    made = add_key(path, "x", [Role.GAME])
    book = KeyBook(path)
    await book.caller_of(str(made.text))
    revoke_key(path, made.key.key_id)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        await book.caller_of(str(made.text))


async def test_a_key_made_meanwhile_is_known(path: Path) -> None:
    book = KeyBook(path)
    assert not book.has_keys()
    made = add_key(path, "x", [Role.GAME])
    assert book.has_keys()
    assert (await book.caller_of(str(made.text))).key_id == made.key.key_id


async def test_a_file_that_is_damaged_or_gone_leaves_the_keys_as_they_were(path: Path) -> None:
    text = str(add_key(path, "x", [Role.GAME]).text)
    book = KeyBook(path)
    path.write_text("{")
    await book.caller_of(text)
    path.unlink()
    await book.caller_of(text)
    assert book.has_keys()
