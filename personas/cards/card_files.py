"""Cards in their three containers: JSON, a PNG with text chunks, a CHARX.

What a file is, its first bytes say, and not its name. Reading puts everything but the card's own
text into a folder: `picture.png` without the card in it, or what a CHARX holds beside `card.json`.
Writing takes it from there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path

from personas.cards import charx, png
from personas.cards.card import Card, Spec, in_spec
from personas.cards.strict_json import JSON, json_bytes, read_json
from personas.errors import CardError
from personas.plain_files import open_plain, read_plain

PICTURE = "picture.png"
MAX_BYTES = 32 << 20  # of JSON or PNG
MAX_CHARX_BYTES = 256 << 20  # an adapter may be in it
KINDS = (".json", ".png", ".charx")
EMBEDDED = "embeded://"  # spelt so in the spec
_CHUNKS = ("ccv3", "chara")  # the newer one first: it is the one that counts
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_JPEG = b"\xff\xd8\xff"
_HEAD_BYTES = 8


def read_value(file: Path, folder: Path) -> JSON:
    """The JSON that a file holds, a card's or another; what lies beside it goes into `folder`.

    Raises CardError for what is broken, and OSError where the disk refuses.
    """
    with open_plain(file) as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(_JPEG):
        raise CardError(f"{file}: a JPEG; a card is in a PNG, which keeps its text")
    if head.startswith(_ZIP):
        return _read_charx(file, folder)
    content = read_content(file, MAX_BYTES)
    if head == png.SIGNATURE:
        return _read_picture(file, content, folder)
    return read_json(content, str(file))


def write_card(file: Path, card: Card, folder: Path, extra: Mapping[str, bytes | Path]) -> None:
    """Write a card as the name of `file` says, with the picture and the assets of `folder`.

    `extra` are files for a CHARX, by their path in it. Raises CardError for any other name.
    """
    kind = require_kind(file)
    if kind == ".json":
        file.write_bytes(json_bytes(card.content))
    elif kind == ".png":
        file.write_bytes(_picture_with(card, folder))
    else:
        text = json_bytes(_with_icon(in_spec(card, Spec.V3), folder).content)
        charx.pack(file, {charx.CARD: text, **dict(_assets(folder)), **extra})


def require_kind(file: Path) -> str:
    """The container that a name asks for. Raises CardError for none that is known."""
    kind = file.suffix.lower()
    if kind not in KINDS:
        raise CardError(f"{file}: cards are written as {', '.join(KINDS)}; let the name end so")
    return kind


def read_content(file: Path, most: int) -> bytes:
    """The bytes of a file that has at most so many. Raises CardError."""
    size = file.stat().st_size
    if size > most:
        raise CardError(f"{file}: {size >> 20} MiB; a card has at most {most >> 20}")
    return read_plain(file, most)


def _read_charx(file: Path, folder: Path) -> JSON:
    size = file.stat().st_size
    if size > MAX_CHARX_BYTES:
        raise CardError(f"{file}: {size >> 20} MiB; a CHARX has at most {MAX_CHARX_BYTES >> 20}")
    charx.unpack(file, folder)
    text = folder / charx.CARD
    value = read_json(text.read_bytes(), f"{file}: {charx.CARD}")
    text.unlink()
    return value


def _read_picture(file: Path, content: bytes, folder: Path) -> JSON:
    chunks = png.chunks_of(content, str(file))
    texts = png.texts_of(chunks)
    for keyword in _CHUNKS:
        if keyword in texts:
            what = f"{file}: {keyword}"
            value = read_json(_from_base64(texts[keyword], what), what)
            bare = png.with_texts(chunks, dict.fromkeys(_CHUNKS))
            (folder / PICTURE).write_bytes(png.png_of(bare))
            return value
    for keyword, kind in png.other_texts(chunks).items():
        if keyword in _CHUNKS:
            raise CardError(f"{file}: {keyword} is in a {kind} chunk; cards are in tEXt chunks")
    raise CardError(f"{file}: a picture without a card: no chunk {' or '.join(_CHUNKS)}")


def _from_base64(text: bytes, what: str) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CardError(f"{what}: not base64: {error}") from error


def _picture_with(card: Card, folder: Path) -> bytes:
    """The card's picture, or a plain one; V3 beside V2, since most readers know V2 alone."""
    file = _icon_file(card, folder)
    if file is not None:
        chunks = png.chunks_of(read_content(file, MAX_BYTES), str(file))
    else:
        chunks = png.plain_picture(card.name)
    new = card if card.spec is Spec.V3 else None
    cards = {"ccv3": new, "chara": in_spec(card, Spec.V2)}
    texts = {keyword: _as_base64(one) if one else None for keyword, one in cards.items()}
    return png.png_of(png.with_texts(chunks, texts))


def _icon_file(card: Card, folder: Path) -> Path | None:
    """The picture that a card came in, or the first icon of a CHARX that is a PNG; None = none."""
    icons = (one for one in card.data.get("assets") or () if one.get("type") == "icon")
    uris = (str(one.get("uri")) for one in icons)
    paths = (uri.removeprefix(EMBEDDED) for uri in uris if uri.startswith(EMBEDDED))
    named = (folder / path for path in paths if not charx.why_no_path(path))
    files = (folder / PICTURE, *(path for path in named if path.suffix.lower() == ".png"))
    return next((file for file in files if file.is_file()), None)


def _with_icon(card: Card, folder: Path) -> Card:
    """The card with its picture named as an asset, which is how a CHARX shows one."""
    assets = card.data.get("assets") or []
    shown = any(one.get("type") == "icon" and one.get("uri") != "ccdefault:" for one in assets)
    if shown or not (folder / PICTURE).is_file():
        return card
    rest = [one for one in assets if one.get("type") != "icon"]
    icon = {"type": "icon", "uri": f"{EMBEDDED}{PICTURE}", "name": "main", "ext": "png"}
    return card.with_data({"assets": [icon, *rest]})


def _as_base64(card: Card) -> bytes:
    return base64.b64encode(json_bytes(card.content))


def _assets(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder but the card's own text, by its path from there."""
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if file.is_file() and not file.is_symlink() and file != folder / charx.CARD:
            yield file.relative_to(folder).as_posix(), file
