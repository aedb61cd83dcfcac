"""A card is read from, and written into, JSON, PNG and CHARX; anything else is refused."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personas.cards import charx
from personas.cards.card import Spec, card_of, in_spec
from personas.cards.card_files import MAX_BYTES, PICTURE, read_value, write_card
from personas.cards.png import chunks_of, texts_of
from personas.errors import CardError
from tests.support.broken_cards import PICTURE as PIXELS
from tests.support.broken_cards import picture_with, raw_chunk, refusal, zip_with
from tests.support.cards import SMITH, smith


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "beside").mkdir()
    return tmp_path / "beside"


def encoded(content: object) -> bytes:
    return base64.b64encode(json.dumps(content).encode())


@pytest.mark.parametrize("kind", [".json", ".png", ".charx"])
@pytest.mark.parametrize("spec", [Spec.V2, Spec.V3])
def test_a_card_is_read_as_it_was_written(
    tmp_path: Path, folder: Path, kind: str, spec: Spec
) -> None:
    card = in_spec(smith(), spec)
    write_card(tmp_path / f"a{kind}", card, folder, {})
    written = in_spec(card, Spec.V3) if kind == ".charx" else card  # the spec of a CHARX
    assert read_value(tmp_path / f"a{kind}", folder) == written.content


def test_the_newer_card_of_a_picture_counts(tmp_path: Path, folder: Path) -> None:
    chunks = (raw_chunk(b"tEXt", b"ccv3\0" + encoded({"name": "new"})),)
    old = raw_chunk(b"tEXt", b"chara\0" + encoded({"name": "old"}))
    (tmp_path / "a.png").write_bytes(picture_with(*chunks, old))
    assert read_value(tmp_path / "a.png", folder) == {"name": "new"}
    assert (folder / PICTURE).read_bytes() == PIXELS


def test_a_picture_keeps_its_own_chunks_and_has_a_card_for_old_readers(
    tmp_path: Path, folder: Path
) -> None:
    note = raw_chunk(b"tEXt", b"Comment\0by us")
    card = raw_chunk(b"tEXt", b"chara\0" + encoded(SMITH))
    (tmp_path / "a.png").write_bytes(picture_with(note, card))
    read_value(tmp_path / "a.png", folder)
    write_card(tmp_path / "b.png", in_spec(smith(), Spec.V3), folder, {})
    texts = texts_of(chunks_of((tmp_path / "b.png").read_bytes(), "b"))
    assert texts["Comment"] == b"by us"
    specs = [json.loads(base64.b64decode(texts[name]))["spec"] for name in ("ccv3", "chara")]
    assert specs == ["chara_card_v3", "chara_card_v2"]


def test_assets_of_a_charx_survive_and_its_icon_is_the_picture(
    tmp_path: Path, folder: Path
) -> None:
    icon = {"type": "icon", "uri": "embeded://assets/icon/a.png", "name": "main", "ext": "png"}
    card = in_spec(smith(assets=[icon]), Spec.V3)
    entries = {"assets/icon/a.png": PIXELS, "assets/x_voice/b.ogg": b"sound", "module.risum": b"x"}
    zip_with(tmp_path / "a.charx", {"card.json": json.dumps(card.content).encode(), **entries})
    read = card_of(read_value(tmp_path / "a.charx", folder), "a")
    write_card(tmp_path / "b.charx", read, folder, {})
    with zipfile.ZipFile(tmp_path / "b.charx") as archive:
        assert {name: archive.read(name) for name in entries} == entries
    write_card(tmp_path / "b.png", read, folder, {})
    kept = [c for c in chunks_of((tmp_path / "b.png").read_bytes(), "b") if c.kind != b"tEXt"]
    assert kept == list(chunks_of(PIXELS, "a"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"\xff\xd8\xff\xe0", "a JPEG; a card is in a PNG", id="JPEG"),
        pytest.param(b"", "line 1, column 1: no JSON", id="empty"),
        pytest.param(b" " * (MAX_BYTES + (18 << 20)), "50 MiB; a card has at most 32", id="50 MB"),
        pytest.param(PIXELS, "a picture without a card", id="no card"),
        pytest.param(
            picture_with(raw_chunk(b"zTXt", b"chara\0\0x")), "is in a zTXt chunk", id="zTXt"
        ),
        pytest.param(
            picture_with(raw_chunk(b"tEXt", b"chara\0e30*")), "chara: not base64", id="base64"
        ),
        pytest.param(
            picture_with(raw_chunk(b"tEXt", b"chara\0" + base64.b64encode(b"\xff"))),
            "chara: line 1: not UTF-8",
            id="UTF-8",
        ),
        pytest.param(
            picture_with(raw_chunk(b"tEXt", b"chara\0" + base64.b64encode(b'{"a":NaN}'))),
            "chara: NaN is no number",
            id="NaN",
        ),
        pytest.param(b"PK\x03\x04 and no more", "the zip is damaged", id="zip"),
    ],
)
def test_what_is_no_card_is_refused(tmp_path: Path, folder: Path, content: bytes, why: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CardError, match=f"^{tmp_path}/a: .*{why}|^{tmp_path}/a: {why}"):
        read_value(tmp_path / "a", folder)
    assert list(folder.iterdir()) == []


def test_an_unknown_kind_of_file_is_not_written(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(CardError, match=r"written as \.json, \.png, \.charx"):
        write_card(tmp_path / "a.webp", smith(), folder, {})


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, folder: Path, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from([".json", ".png", ".charx"]))
    write_card(tmp_path / f"a{kind}", smith(), folder / "none", {})
    content = bytearray((tmp_path / f"a{kind}").read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[at] = data.draw(st.integers(0, 255))
    broken = tmp_path / f"broken{kind}"
    broken.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    target = tmp_path / f"out-{data.draw(st.uuids())}"
    target.mkdir(exist_ok=True)
    why = refusal(lambda: card_of(read_value(broken, target), str(broken)))
    assert not why or why.startswith(str(broken))


def test_no_asset_is_written_over_the_card(tmp_path: Path, folder: Path) -> None:
    (folder / charx.CARD).write_text("{}")
    write_card(tmp_path / "a.charx", smith(), folder, {})
    with zipfile.ZipFile(tmp_path / "a.charx") as archive:
        assert archive.namelist() == ["card.json"]
