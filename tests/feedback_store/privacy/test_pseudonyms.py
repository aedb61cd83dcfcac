"""Players under another name, and the key file."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_store.errors import KeyFileError
from feedback_store.privacy.pseudonyms import (
    KEY_BYTES,
    Pseudonyms,
    ensure_key,
    is_pseudonym,
    read_key,
)

KEY = bytes(range(KEY_BYTES))


@given(st.text(st.characters()))
def test_every_id_has_a_pseudonym_of_one_form(player_id: str) -> None:
    assert is_pseudonym(Pseudonyms(KEY).of(player_id))


def test_a_pseudonym_is_the_same_for_good() -> None:
    assert Pseudonyms(KEY).of("ann") == "p1-nlugxejimmoghbdbro6kvycb5h"


def test_players_of_two_games_are_two_whatever_their_ids() -> None:
    games = {Pseudonyms(KEY).of("ann", game) for game in ("default", "salt", "sugar")}
    assert len(games) == 3
    assert Pseudonyms(KEY).of("ann", "default") == Pseudonyms(KEY).of("ann")


def test_ids_and_keys_are_told_apart() -> None:
    other = Pseudonyms(bytes(KEY_BYTES))
    names = {Pseudonyms(KEY).of("ann"), Pseudonyms(KEY).of("Ann"), other.of("ann"), other.of("Ann")}
    assert len(names) == 4


def test_an_id_is_one_however_its_accents_are_composed() -> None:
    assert Pseudonyms(KEY).of("Rene\u0301") == Pseudonyms(KEY).of("Ren\u00e9")


@pytest.mark.parametrize(
    "text", ["ann", "", "p1-", "p1-" + "a" * 25, "p1-" + "1" * 26, "p2-" + "a" * 26]
)
def test_other_texts_are_no_pseudonyms(text: str) -> None:
    assert not is_pseudonym(text)


def test_the_key_is_not_shown() -> None:
    shown = repr(Pseudonyms(KEY)) + str(vars(Pseudonyms(KEY)))
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        Pseudonyms(b"abc")


def test_the_key_is_made_on_first_use_and_read_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "pseudonyms.key"
    key = ensure_key(path)
    assert len(key) == KEY_BYTES
    assert ensure_key(path) == read_key(path) == key
    assert ensure_key(tmp_path / "other.key") != key


def test_only_its_owner_may_read_the_key(tmp_path: Path) -> None:
    ensure_key(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_nothing_is_left_beside_the_key(tmp_path: Path) -> None:
    ensure_key(tmp_path / "key")
    assert list(tmp_path.iterdir()) == [tmp_path / "key"]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from feedback_store.privacy.pseudonyms import ensure_key; "
        "sys.stdin.read(); print(ensure_key(Path(sys.argv[1])).hex())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "key")]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()  # go
    printed = [process.stdout.read().strip() for process in started if process.stdout]
    assert [process.wait() for process in started] == [0] * 4
    assert set(printed) == {read_key(tmp_path / "key").hex()}


@pytest.mark.parametrize(
    "written",
    [b"", b"00" * 31, b"00" * 32 + b"\n00", b"zz" * 32, b"\xff" * 32],
    ids=["empty", "short", "long", "not hexadecimal", "not text"],
)
def test_a_damaged_key_is_neither_used_nor_replaced(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(written)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"backup.*no stored player can be found"):
        ensure_key(path)
    assert path.read_bytes() == written


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620], ids=oct)
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    ensure_key(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_key(tmp_path / "key")


def test_a_missing_key_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        read_key(tmp_path / "key")
    assert not (tmp_path / "key").exists()


def test_a_place_where_no_key_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match=r"file/key: cannot make"):
        ensure_key(tmp_path / "file" / "key")


def test_a_copied_key_file_may_have_other_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(KEY.hex().upper().encode() + b"\r\n")
    assert read_key(path) == KEY
