"""PNGs and zips that are wrong in one way, made by hand where no library would make them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from personas.cards.png import SIGNATURE, plain_picture, png_of
from personas.errors import CardError

PICTURE = png_of(plain_picture("test"))


def raw_chunk(kind: bytes, body: bytes, length: int | None = None, crc: int | None = None) -> bytes:
    """A chunk of a PNG, with a length and a checksum of one's own."""
    stated = len(body) if length is None else length
    checksum = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I4s", stated, kind) + body + struct.pack(">I", checksum)


def picture_with(*chunks: bytes) -> bytes:
    """A picture with these chunks before its end."""
    return PICTURE[:-12] + b"".join(chunks) + PICTURE[-12:]


def header_of(picture: bytes) -> bytes:
    """The signature and the first chunk."""
    return picture[: len(SIGNATURE) + 25]


def zip_with(file: Path, entries: dict[str, bytes], mode: int = 0o100644) -> Path:
    """A zip of these entries, all of them of one kind and packed tightly."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return file


def refusal(call: Callable[[], object]) -> str:
    """Why a call refuses; "" = it does not. Any other error is raised."""
    try:
        call()
    except CardError as error:
        return str(error)
    return ""
