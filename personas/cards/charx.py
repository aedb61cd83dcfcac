"""CHARX: a zip with card.json at its root, and pictures, sounds and models beside it.

A stranger's zip is unpacked into a folder of its own, entry by entry, and given up at the first
thing that is wrong: a way out of the folder, a link, two entries of one name, more than the limits
allow. What is unpacked is counted while it is unpacked, whatever the zip says of itself.
"""

from __future__ import annotations

import errno
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from personas.errors import CardError

CARD = "card.json"
MAX_ENTRIES = 4096
MAX_NAME = 200  # bytes of a path
_MAX_LIST = 2 << 20  # bytes of what a zip says of its entries
MAX_UNPACKED = 256 << 20  # bytes of all entries: pictures, and one adapter
MAX_RATIO = 100  # unpacked to packed, of an entry that is large enough to matter
_MATTERS = 1 << 20
_PIECE = 1 << 16
_ENCRYPTED = 0x1
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


def unpack(file: Path, folder: Path) -> None:
    """Write every entry of a CHARX below `folder`, which must be empty. Raises CardError."""
    with _zip_errors(file), _SmallReads(file) as stream, zipfile.ZipFile(stream) as archive:
        entries = _harmless_entries(archive, file)
        left = MAX_UNPACKED
        for entry in entries:
            target = folder / entry.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as sink:
                for piece in _pieces(archive, entry, file):
                    left -= len(piece)
                    if left < 0:
                        limit = f"{MAX_UNPACKED >> 20} MiB"
                        raise CardError(f"{file}: unpacks to more than {limit}, the limit")
                    sink.write(piece)


class _SmallReads(io.FileIO):
    """A zip whose list of entries fits in memory: zipfile reads it in one piece, and makes an
    object of every entry before anybody can count them."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Some bytes; never more than the longest list of entries takes."""
        if size is None or size < 0:  # of a file's end, some 64 KiB
            size = _MAX_LIST
        if size > _MAX_LIST:
            raise zipfile.BadZipFile(f"its list of entries is longer than {_MAX_LIST >> 20} MiB")
        return super().read(size) or b""


def pack(file: Path, contents: Mapping[str, bytes | Path]) -> None:
    """Write a CHARX of these entries, by path; those that are files are read while it is made."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            method = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = method
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            data = content.read_bytes() if isinstance(content, Path) else content
            archive.writestr(entry, data)


def _harmless_entries(archive: zipfile.ZipFile, file: Path) -> list[zipfile.ZipInfo]:
    """The entries that are files, all of them harmless by what the zip says of them."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise CardError(f"{file}: {len(entries)} entries; at most {MAX_ENTRIES}")
    seen: set[str] = set()
    for entry in entries:
        if why := _why_not(entry):
            raise CardError(f"{file}: entry {entry.filename!r} {why}")
        plain = entry.filename.rstrip("/").casefold()  # some disks know no capitals
        if plain in seen:
            raise CardError(f"{file}: entry {entry.filename!r} is there twice")
        seen.add(plain)
    if CARD not in archive.namelist():
        raise CardError(f"{file}: has no {CARD} at its root, so it is no CHARX")
    return [entry for entry in entries if not entry.is_dir()]


def _why_not(entry: zipfile.ZipInfo) -> str:
    """Why an entry is not unpacked; "" = it is."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind and not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        return "is a link or a device; only plain files are unpacked"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return "is packed by another method than deflate"
    return why_no_path(entry.filename.rstrip("/"))


def why_no_path(name: str) -> str:
    """Why a name cannot be a path within a CHARX; "" = it can."""
    parts = PurePosixPath(name).parts
    if not name or len(name.encode()) > MAX_NAME or not name.isprintable():
        return f"has no usable name: printable, and at most {MAX_NAME} bytes"
    if name.startswith("/") or "\\" in name or ":" in name or {"..", "."} & set(name.split("/")):
        return "leads out of its folder, or might on another system"
    return "" if "/".join(parts) == name else "has an empty part in its path"


def _pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: Path) -> Iterator[bytes]:
    unpacked = 0
    with archive.open(entry) as source:
        while piece := source.read(_PIECE):
            unpacked += len(piece)
            if unpacked > max(_MATTERS, MAX_RATIO * entry.compress_size):
                raise CardError(
                    f"{file}: entry {entry.filename!r} unpacks to more than {MAX_RATIO} times its"
                    " size, as a zip bomb does"
                )
            yield piece


@contextmanager
def _zip_errors(file: Path) -> Iterator[None]:
    """What zipfile raises for damage, as one error."""
    try:
        yield
    except _DAMAGE as error:
        raise CardError(f"{file}: the zip is damaged: {error}") from error
    except (ValueError, OverflowError, IndexError) as error:  # of headers that make no sense
        if isinstance(error, CardError):
            raise
        raise CardError(f"{file}: the zip is damaged: {error}") from error
    except FileExistsError as error:
        raise CardError(f"{file}: two entries want the place of {error.filename}") from error
    except NotADirectoryError as error:
        raise CardError(f"{file}: an entry lies below another one: {error.filename}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise CardError(f"{file}: the zip is damaged: it points to before its beginning") from error
