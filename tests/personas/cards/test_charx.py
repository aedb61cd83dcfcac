"""A CHARX is unpacked whole into its folder, or refused before anything can leave it."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personas.cards import charx
from personas.errors import CardError
from tests.support.broken_cards import refusal, zip_with

CARD = {"card.json": b"{}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner"


def test_what_is_packed_is_unpacked(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "picture").write_bytes(b"pixels")
    contents: dict[str, bytes | Path] = {
        "card.json": b"{}",
        "assets/icon/image/main.png": tmp_path / "picture",
    }
    charx.pack(tmp_path / "a.charx", contents)
    charx.unpack(tmp_path / "a.charx", folder)
    found = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    assert found == {"card.json": b"{}", "assets/icon/image/main.png": b"pixels"}


def test_the_same_content_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("a.charx", "b.charx"):
        charx.pack(tmp_path / name, {"card.json": b"{}"})
    assert (tmp_path / "a.charx").read_bytes() == (tmp_path / "b.charx").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "/etc/passwd",
        "a/../../out",
        "a\\..\\out",
        "C:out",
        "a//b",
        "./a",
        "a\nb",
        "x" * 999,
    ],
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, folder: Path, name: str) -> None:
    with pytest.raises(CardError, match=r"entry .* (leads out|has no usable name|has an empty)"):
        charx.unpack(zip_with(tmp_path / "a.charx", CARD | {name: b"x"}), folder)
    assert list(tmp_path.rglob("out")) == []


def test_a_link_is_refused(tmp_path: Path, folder: Path) -> None:
    file = zip_with(tmp_path / "a.charx", CARD | {"link": b"/etc/passwd"}, stat.S_IFLNK | 0o777)
    with pytest.raises(CardError, match="is a link or a device"):
        charx.unpack(file, folder)


def test_a_bomb_is_given_up_while_it_unpacks(tmp_path: Path, folder: Path) -> None:
    file = zip_with(tmp_path / "a.charx", CARD | {"assets/bomb": bytes(64 << 20)})
    assert file.stat().st_size < 1 << 20
    with pytest.raises(CardError, match="unpacks to more than 100 times its size"):
        charx.unpack(file, folder)
    assert (folder / "assets/bomb").stat().st_size < 8 << 20


def test_all_entries_together_are_limited(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charx, "MAX_UNPACKED", 1 << 20)
    entries = {f"assets/{number}": bytes(range(256)) * 2048 for number in range(3)}
    with pytest.raises(CardError, match="unpacks to more than 1 MiB"):
        charx.unpack(zip_with(tmp_path / "a.charx", CARD | entries), folder)


@pytest.mark.parametrize("second", ["A/b", "a/b/c", "a"])
def test_two_entries_for_one_place_are_refused(tmp_path: Path, folder: Path, second: str) -> None:
    with pytest.raises(CardError, match=r"is there twice|want the place|lies below another"):
        charx.unpack(zip_with(tmp_path / "a.charx", CARD | {"a/b": b"1", second: b"2"}), folder)


def test_a_zip_without_a_card_is_no_charx(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(CardError, match=r"has no card\.json"):
        charx.unpack(zip_with(tmp_path / "a.charx", {"b.json": b"{}"}), folder)


def test_too_many_entries_are_refused(tmp_path: Path, folder: Path) -> None:
    entries = CARD | {f"assets/{number}": b"" for number in range(charx.MAX_ENTRIES)}
    with pytest.raises(CardError, match="4097 entries; at most 4096"):
        charx.unpack(zip_with(tmp_path / "a.charx", entries), folder)


def test_an_encrypted_entry_is_refused(tmp_path: Path, folder: Path) -> None:
    file = zip_with(tmp_path / "a.charx", CARD)
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # in the directory, which is what counts
    file.write_bytes(bytes(content))
    with pytest.raises(CardError, match="is encrypted"):
        charx.unpack(file, folder)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)
@given(st.data())
def test_a_damaged_zip_is_unpacked_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    file = zip_with(tmp_path / "whole.charx", CARD | {"assets/a": b"abc" * 50})
    content = bytearray(file.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[at] = data.draw(st.integers(0, 255))
    broken = tmp_path / "broken.charx"
    broken.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    folder = Path(tmp_path / f"out-{data.draw(st.uuids())}")
    folder.mkdir(exist_ok=True)
    why = refusal(lambda: charx.unpack(broken, folder))
    assert not why or why.startswith(str(broken))


def test_a_zip_of_an_unknown_method_is_refused(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.charx", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("card.json", b"{}" * 100)
    with pytest.raises(CardError, match="another method than deflate"):
        charx.unpack(tmp_path / "a.charx", folder)
