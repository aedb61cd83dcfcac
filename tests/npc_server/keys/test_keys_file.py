"""The file of the keys: whole, private, and changed by one process at a time."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from npc_server.errors import KeysFileError
from npc_server.keys.callers import Role
from npc_server.keys.keys_file import add_key, read_keys, revoke_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


def test_where_there_is_no_file_there_are_no_keys(path: Path) -> None:
    assert read_keys(path) == ()


def test_a_key_is_kept_without_what_it_is(path: Path) -> None:
    made = add_key(path, "the game", [Role.GAME], "saltmere")
    assert read_keys(path) == (made.key,)
    assert made.text.secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_made_at_once_are_all_kept(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: add_key(path, f"key {n}", [Role.GAME]).key, range(8)))
    assert {key.key_id for key in read_keys(path)} == {key.key_id for key in made}


def test_a_revoked_key_stays_in_the_file(path: Path) -> None:
    key_id = add_key(path, "x", [Role.GAME]).key.key_id
    revoked = revoke_key(path, key_id)
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert (read_keys(path), revoke_key(path, key_id)) == ((revoked,), revoked)


def test_a_key_that_is_not_there_is_not_revoked(path: Path) -> None:
    assert revoke_key(path, "k2345678") is None


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    add_key(path, "x", [Role.GAME])
    path.chmod(0o640)
    with pytest.raises(KeysFileError, match="chmod 600"):
        read_keys(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 2, "keys": []}'])
def test_a_damaged_file_is_refused(path: Path, text: str) -> None:
    add_key(path, "x", [Role.GAME])
    path.write_text(text)
    with pytest.raises(KeysFileError, match=r"keys\.json"):
        read_keys(path)


def test_a_damaged_file_is_not_replaced(path: Path) -> None:
    add_key(path, "x", [Role.GAME])
    path.write_text("{")
    with pytest.raises(KeysFileError):
        add_key(path, "y", [Role.GAME])
    assert path.read_text() == "{"
