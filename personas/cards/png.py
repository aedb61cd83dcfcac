"""PNG as a row of chunks, which is all that a card in a picture needs. Pure.

The pixels are never looked at: a card is text in tEXt chunks (`chara`, `ccv3`), and every other
chunk is handed on as it is, those of an animation too. What lies behind the last chunk is no part
of the picture and is left out.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from personas.errors import CardError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 13
MAX_CHUNKS = 1 << 16  # of 8 KiB, as encoders cut them, 512 MiB
_WIDTH, _HEIGHT = 400, 600  # of a plain picture, as cards are usually cut


@dataclass(frozen=True)
class Chunk:
    """A part of the file."""

    kind: bytes  # four letters, such as b"tEXt"
    body: bytes


def chunks_of(content: bytes, what: str) -> tuple[Chunk, ...]:
    """The chunks of a PNG; `what` names it in errors. Raises CardError for any that is damaged."""
    if not content.startswith(SIGNATURE):
        raise CardError(f"{what}: not a PNG")
    chunks: list[Chunk] = []
    at = len(SIGNATURE)
    while not chunks or chunks[-1].kind != b"IEND":
        if len(chunks) == MAX_CHUNKS:
            raise CardError(f"{what}: more than {MAX_CHUNKS:,} chunks")
        chunk = _chunk_at(content, at, what)
        chunks.append(chunk)
        at += 12 + len(chunk.body)
    if chunks[0].kind != b"IHDR" or len(chunks[0].body) != _HEADER_BYTES:
        raise CardError(f"{what}: the PNG does not begin with its header (IHDR)")
    return tuple(chunks)


def png_of(chunks: Iterable[Chunk]) -> bytes:
    """The file that is made of these chunks."""
    return SIGNATURE + b"".join(map(_bytes_of, chunks))


def texts_of(chunks: Iterable[Chunk]) -> dict[str, bytes]:
    """What the tEXt chunks hold, by keyword; of several with one keyword the last."""
    pairs = (chunk.body.partition(b"\0") for chunk in chunks if chunk.kind == b"tEXt")
    return {keyword.decode("latin-1"): text for keyword, _, text in pairs}


def other_texts(chunks: Iterable[Chunk]) -> dict[str, str]:
    """Keywords of text chunks of the other kinds, with the kind."""
    others = (chunk for chunk in chunks if chunk.kind in (b"zTXt", b"iTXt"))
    return {
        chunk.body.partition(b"\0")[0].decode("latin-1"): chunk.kind.decode() for chunk in others
    }


def with_texts(chunks: Iterable[Chunk], texts: Mapping[str, bytes | None]) -> tuple[Chunk, ...]:
    """The chunks with these texts in place of those of the same keywords; None = no such text."""
    *rest, end = (chunk for chunk in chunks if _keyword(chunk) not in texts)
    new = (
        Chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text)
        for keyword, text in texts.items()
        if text is not None
    )
    return (*rest, *new, end)


def plain_picture(name: str) -> tuple[Chunk, ...]:
    """A picture of one colour for a card that has none; the same for the same name."""
    red, green, blue = (96 + part // 2 for part in hashlib.sha256(name.encode()).digest()[:3])
    row = b"\0" + bytes((red, green, blue)) * _WIDTH
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)  # 8 bits of red, green, blue
    pixels = zlib.compress(row * _HEIGHT, 9)
    return (Chunk(b"IHDR", header), Chunk(b"IDAT", pixels), Chunk(b"IEND", b""))


def _chunk_at(content: bytes, at: int, what: str) -> Chunk:
    """The chunk that begins at a byte: length, kind, body, checksum of the two."""
    left = len(content) - at
    if left < 12:
        raise CardError(f"{what}: the PNG is cut off: no end (IEND) at byte {len(content)}")
    length, kind = struct.unpack_from(">I4s", content, at)
    name = kind.decode("latin-1")
    if not (kind.isalpha() and kind.isascii()):
        raise CardError(f"{what}: byte {at}: {kind!r} is no kind of PNG chunk")
    if length > left - 12:
        raise CardError(
            f"{what}: byte {at}: chunk {name} claims {length} bytes, but {left - 12} are left;"
            " the file is cut off or damaged"
        )
    body = content[at + 8 : at + 8 + length]
    (stated,) = struct.unpack_from(">I", content, at + 8 + length)
    if zlib.crc32(body, zlib.crc32(kind)) != stated:
        raise CardError(f"{what}: byte {at}: chunk {name} has a wrong checksum; it is damaged")
    return Chunk(kind, body)


def _bytes_of(chunk: Chunk) -> bytes:
    checksum = zlib.crc32(chunk.body, zlib.crc32(chunk.kind))
    return (
        struct.pack(">I4s", len(chunk.body), chunk.kind) + chunk.body + struct.pack(">I", checksum)
    )


def _keyword(chunk: Chunk) -> str:
    is_text = chunk.kind == b"tEXt"
    return chunk.body.partition(b"\0")[0].decode("latin-1") if is_text else ""
