"""A PNG is taken apart into whole chunks, or refused at the byte that is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.cards.png import Chunk, chunks_of, plain_picture, png_of, texts_of, with_texts
from personas.errors import CardError
from tests.support.broken_cards import PICTURE, header_of, picture_with, raw_chunk, refusal


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"GIF89a", "not a PNG", id="another picture"),
        pytest.param(PICTURE[:-12], "cut off: no end", id="no end"),
        pytest.param(PICTURE[:60], "are left; the file is cut off", id="cut off in a chunk"),
        pytest.param(
            picture_with(raw_chunk(b"tEXt", b"chara\0e30=", length=1 << 31)),
            "chunk tEXt claims 2147483648 bytes",
            id="a length beyond the file",
        ),
        pytest.param(
            picture_with(raw_chunk(b"tEXt", b"chara\0e30=", length=3)), "wrong checksum", id="short"
        ),
        pytest.param(
            picture_with(raw_chunk(b"tEXt", b"chara\0e30=", crc=1)),
            "byte .*: chunk tEXt has a wrong checksum",
            id="checksum",
        ),
        pytest.param(picture_with(raw_chunk(b"t\0Xt", b"")), "no kind of PNG chunk", id="kind"),
        pytest.param(PICTURE[:8] + PICTURE[-12:], "does not begin with its header", id="no header"),
    ],
)
def test_a_damaged_picture_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(CardError, match=rf"a\.png: .*{why}"):
        chunks_of(content, "a.png")


def test_texts_are_replaced_and_everything_else_stays() -> None:
    chunks = chunks_of(
        picture_with(raw_chunk(b"tEXt", b"chara\0old"), raw_chunk(b"fcTL", b"x")), "a"
    )
    new = chunks_of(png_of(with_texts(chunks, {"chara": b"new", "ccv3": None})), "a")
    assert texts_of(new) == {"chara": b"new"}
    assert [c for c in new if c.kind != b"tEXt"] == [c for c in chunks if c.kind != b"tEXt"]


def test_what_lies_behind_the_end_is_no_part_of_the_picture() -> None:
    assert chunks_of(PICTURE + b"PK\x03\x04", "a") == chunks_of(PICTURE, "a")


def test_a_plain_picture_is_the_same_for_the_same_name() -> None:
    assert plain_picture("Mira") == plain_picture("Mira") != plain_picture("Fenn")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=4))
def test_chunks_are_written_as_they_are_read(bodies: list[bytes]) -> None:
    head, *rest = plain_picture("a")
    chunks = (head, *(Chunk(b"prVt", body) for body in bodies), *rest)
    assert chunks_of(png_of(chunks), "a") == chunks


@settings(deadline=None)
@given(st.integers(0, len(PICTURE) - 1), st.integers(0, 255))
def test_a_changed_byte_is_noticed_or_changes_no_chunk(at: int, byte: int) -> None:
    content = bytearray(PICTURE)
    content[at] = byte
    why = refusal(lambda: chunks_of(bytes(content), "a"))
    if not why:
        assert chunks_of(bytes(content), "a") == chunks_of(PICTURE, "a")
    else:
        assert why.startswith("a: ")


def test_the_header_is_first() -> None:
    assert chunks_of(header_of(PICTURE) + PICTURE[-12:], "a")[0].kind == b"IHDR"
