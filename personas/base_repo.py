"""Bases that were trained from players' feedback, and which players that was.

    <root>/town/town.gguf, manifest.json
    <root>/.making-town/     one in the making; held (flock) by its maker, kept when that is killed

A base is made beside its final name, manifest last, synced, then renamed: it is there whole or not
at all, and never changes. Every adapter trained on it has learned from the players it names, so a
base whose players cannot be read is an error and is never passed over.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from personas.authored_fields import ID_PATTERN
from personas.claims import claim_folder
from personas.durable import sync_folder, write_synced
from personas.errors import BaseTakenError, CorruptBaseError, InvalidIdError, RepoWriteError
from personas.plain_files import read_plain

MANIFEST = "manifest.json"
_MAX_MANIFEST = 64 << 20  # bytes: it names every player that a base was trained on


@dataclass(frozen=True)
class BaseDraft:
    """What the maker of a base states about it."""

    name: str
    parent_sha256: str  # the GGUF it was trained from
    method: str
    config: dict[str, JsonValue]
    snapshots: dict[str, str]  # hash of the rows, by character
    players: tuple[str, ...]  # pseudonyms whose feedback it was trained on
    gate: dict[str, JsonValue]


@dataclass(frozen=True)
class BaseManifest:
    """What is known about a base: the draft, and what publishing added."""

    draft: BaseDraft
    sha256: str  # of the GGUF
    created_at: str  # ISO 8601, UTC

    @property
    def name(self) -> str:
        """The folder's name, and the GGUF's."""
        return self.draft.name


_MANIFEST = TypeAdapter(BaseManifest)


class BaseRepo:
    """The bases below one folder; holds no state of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Yield a folder to make a base in, for one process at a time; it outlives a crash.

        Raises InvalidIdError, and BaseTakenError for a name that is taken or being made.
        """
        self._require_free(name)
        folder = self._root / f".making-{name}"
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            claim = claim_folder(folder)
        if claim is None:
            raise BaseTakenError(f"{name} is being made by another process")
        try:
            yield folder
        finally:
            os.close(claim)

    def publish(self, draft: BaseDraft, made: Path) -> BaseManifest:
        """Give the GGUF `made`, which lies in the folder of `making`, its name; ends the making.

        Raises RepoWriteError when the disk refuses, BaseTakenError when the name was taken since.
        """
        self._require_free(draft.name)
        with _writing(self._root):
            final = made.with_name(draft.name)
            shutil.rmtree(final, ignore_errors=True)  # of a publisher that was killed here
            final.mkdir()
            made.rename(final / f"{draft.name}.gguf")
            manifest = _describe(draft, final / f"{draft.name}.gguf")
            text = json.dumps(asdict(manifest), indent=2, sort_keys=True, allow_nan=False)
            write_synced(final / MANIFEST, text.encode() + b"\n")
            sync_folder(final)
            final.rename(self._root / draft.name)
            sync_folder(self._root)
        self.give_up(draft.name)
        return manifest

    def give_up(self, name: str) -> None:
        """Remove what is left of a base in the making."""
        shutil.rmtree(self._root / f".making-{_check_name(name)}", ignore_errors=True)

    def path(self, name: str) -> Path:
        """The GGUF of a published base, or where it will be. Raises InvalidIdError."""
        return self._root / _check_name(name) / f"{name}.gguf"

    def bases(self) -> list[BaseManifest]:
        """All that were published, oldest first. Raises CorruptBaseError."""
        files = self._root.glob(f"[!.]*/{MANIFEST}")
        return sorted((_read(file) for file in files), key=lambda base: base.created_at)

    def _require_free(self, name: str) -> None:
        if (self._root / _check_name(name)).exists():
            raise BaseTakenError(f"there is a base named {name} in {self._root}; choose another")


def _check_name(name: str) -> str:
    if not re.fullmatch(ID_PATTERN, name):
        raise InvalidIdError(f"{name!r} is not a base's name (pattern {ID_PATTERN})")
    return name


def _describe(draft: BaseDraft, gguf: Path) -> BaseManifest:
    with gguf.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    return BaseManifest(draft, digest, datetime.now(UTC).isoformat(timespec="milliseconds"))


def _read(file: Path) -> BaseManifest:
    try:
        manifest = _MANIFEST.validate_json(read_plain(file, _MAX_MANIFEST), strict=True)
    except (OSError, ValidationError) as error:
        raise CorruptBaseError(
            f"{file} does not say whose feedback the base learned from: {error}; restore it from a"
            f" backup, or remove {file.parent} and the adapters that were trained on it"
        ) from error
    if manifest.name != file.parent.name:
        raise CorruptBaseError(f"{file} describes {manifest.name}, not this folder")
    return manifest


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RepoWriteError(f"{place}: {error}; no base was published") from error
