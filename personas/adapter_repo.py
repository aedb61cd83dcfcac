"""Adapter versions on disk, and which of them is live.

    <root>/mira/v0007-3fa91c2b/    adapter_config.json, adapter_model.safetensors, manifest.json
    <root>/mira/aliases.json       {"live": "v0007-…", "canary": null, "previous": […]}
    <root>/mira/.lock              held (flock) while a number is taken or the aliases change
    <root>/mira/.tmp-…/            a version being written; held (flock) by its publisher

A version is written beside its final name, manifest last, synced, then renamed: it is there whole
or not at all, and never changes afterwards. Promotion and rollback replace aliases.json by rename
and touch nothing else. Any number of threads and processes may publish and promote at once.
What a killed publisher leaves behind is invisible and removed by the next publish: the kernel drops
a dead process's lock, so an unlocked `.tmp-` folder is nobody's. Needs a POSIX system.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from personas.authored_fields import ID_PATTERN
from personas.claims import claim_folder
from personas.durable import sync_folder, write_synced
from personas.errors import (
    CorruptAdapterError,
    CorruptAliasesError,
    InvalidDraftError,
    InvalidIdError,
    NothingToRollBackError,
    RepoWriteError,
    UnknownVersionError,
    brief,
)
from personas.links import LinkError, inside
from personas.plain_files import open_plain, read_plain

JSON = JsonValue
#: When, as which inode and how large a character's aliases were written.
AliasStamp = tuple[int, int, int, int]
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
KEPT_PREVIOUS = 5
_MAX_MANIFEST = 64 << 20  # bytes: it names every player that a version was trained on
_MAX_ALIASES = 64 << 10
_ADD_AGAIN = "`npc adapters add` publishes the adapter again from a good copy"
_VERSION = re.compile(r"v([0-9]{4,9})-[0-9a-f]{8}")


@dataclass(frozen=True)
class Draft:
    """What the publisher of an adapter states about it."""

    character: str
    parent: str | None  # version it was trained from; None = the bare base
    base_sha256: str
    method: str
    config: dict[str, JSON]
    snapshot_hash: str
    players: tuple[str, ...]  # pseudonyms whose feedback it was trained on
    gate: dict[str, JSON]
    persona_version: str = ""  # of the persona that was trained and judged; "" = unknown
    source: str = ""  # where an adapter that was made elsewhere comes from
    license: str = ""  # under which it may be used
    chat_format: str = ""  # sha256 of the format of its prompts, `Chat.sha256`; "" = ChatML


@dataclass(frozen=True)
class Manifest:
    """What is known about a published version: its draft's fields and what publishing added."""

    version: str  # the folder's name, "v0007-3fa91c2b"
    number: int
    content_hash: str  # sha256 hex, see `content_hash`
    created_at: str  # ISO 8601, UTC
    character: str
    parent: str | None
    base_sha256: str
    method: str
    config: dict[str, JSON]
    snapshot_hash: str
    players: tuple[str, ...]
    gate: dict[str, JSON]
    persona_version: str = ""  # older manifests lack it and what follows
    source: str = ""
    license: str = ""
    chat_format: str = ""


@dataclass(frozen=True)
class Canary:
    """A version on trial. Read from the file and kept valid; nothing starts a trial today."""

    version: str
    share: float  # of sessions, 0..1


@dataclass(frozen=True)
class Aliases:
    """Which versions a character speaks with."""

    live: str | None = None  # None = the bare base
    canary: Canary | None = None
    previous: tuple[str, ...] = ()  # formerly live, newest first


_MANIFEST = TypeAdapter(Manifest)
_ALIASES = TypeAdapter(Aliases)


def content_hash(folder: Path) -> str:
    """sha256 hex over the bytes of adapter_config.json, then adapter_model.safetensors.

    CorruptAdapterError names the file that is missing or unreadable.
    """
    digest = hashlib.sha256()
    for name in ADAPTER_FILES:
        _feed(digest, folder / name)
    return digest.hexdigest()


class AdapterRepo:
    """The adapter versions of all characters below one folder; holds no state of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def publish(self, draft: Draft, source: Path) -> Manifest:
        """Make the adapter in `source` a new version; it is complete and durable on return.

        InvalidDraftError when there is nothing publishable, RepoWriteError when the disk refuses;
        either way no version appears.
        """
        _check_draft(draft)
        _check_source(source)
        home = self._home(draft.character)
        with _writing(home), _staging_folder(home) as staging:
            for name in ADAPTER_FILES:
                _copy(source / name, staging / name)
            return _release(draft, staging, home)

    def versions(self, character: str) -> list[Manifest]:
        """Complete versions, oldest first; ones that cannot be read are left out."""
        manifests = (_readable(folder) for folder in _version_folders(self._home(character)))
        found = [manifest for manifest in manifests if manifest]
        return sorted(found, key=lambda manifest: manifest.number)

    def find(self, character: str, content_hash: str, base_sha256: str) -> Manifest | None:
        """The newest undamaged version with this content for this base; None = there is none."""
        for manifest in reversed(self.versions(character)):
            same = (manifest.content_hash, manifest.base_sha256) == (content_hash, base_sha256)
            if same and self._verifies(character, manifest.version):
                return manifest
        return None

    def bases(self) -> frozenset[str]:
        """The sha256 of every base that a version of any character fits."""
        manifests = (_readable(file.parent) for file in self._root.glob("*/*/manifest.json"))
        return frozenset(manifest.base_sha256 for manifest in manifests if manifest)

    def manifest(self, character: str, version: str) -> Manifest:
        """One version's manifest. UnknownVersionError, CorruptAdapterError."""
        return _read_manifest(self.path(character, version))

    def path(self, character: str, version: str) -> Path:
        """The version's folder. UnknownVersionError when no such version was completed.

        CorruptAdapterError where a link leads out of the folder of all characters.
        """
        folder = self._home(character) / _checked_version(version)
        if not (folder / "manifest.json").is_file():
            raise UnknownVersionError(f"{character} has no version {version}; see its versions")
        for name in ADAPTER_FILES:
            _require_inside(folder / name)
        return folder

    def verify(self, character: str, version: str) -> Manifest:
        """Read the whole version and compare it with what was published.

        CorruptAdapterError names the file or folder at fault.
        """
        manifest = self.manifest(character, version)
        folder = self.path(character, version)
        if content_hash(folder) != manifest.content_hash:
            raise CorruptAdapterError(
                f"{folder}: adapter files differ from the published ones"
                f" (manifest says {manifest.content_hash[:12]}); {_ADD_AGAIN}"
            )
        return manifest

    def alias_stamps(self) -> dict[str, AliasStamp]:
        """What tells that the aliases of a character are others than before, where it has some."""
        try:
            with os.scandir(self._root) as entries:
                homes = [entry for entry in entries if entry.is_dir()]
        except OSError:  # nothing was published yet
            return {}
        found = ((home.name, _alias_stamp(home.path)) for home in homes)
        return {name: stamp for name, stamp in found if stamp is not None}

    def aliases(self, character: str) -> Aliases:
        """Which versions are live, on trial and former. CorruptAliasesError."""
        return _read_aliases(self._home(character))

    def promote(self, character: str, version: str) -> Aliases:
        """Make a verified version live and end any trial; do nothing if it is live already."""
        self.verify(character, version)
        home = self._home(character)
        with _writing(home), _hold_lock(home):
            aliases = _read_aliases(home)
            return aliases if aliases.live == version else _write(home, _promoted(aliases, version))

    def promote_over(self, character: str, incumbent: str | None, version: str) -> bool:
        """Make a verified version live if `incumbent` still is; None is the bare base.

        Returns whether it is live. No other promotion can come between the check and the write.
        """
        self.verify(character, version)
        home = self._home(character)
        with _writing(home), _hold_lock(home):
            aliases = _read_aliases(home)
            if aliases.live == version:
                return True
            if aliases.live == incumbent:
                _write(home, _promoted(aliases, version))
            return aliases.live == incumbent

    def rollback(self, character: str) -> Aliases:
        """Return to the version that was live before, or to the bare base before the first.

        A former version that no longer verifies is passed over: rolling back must work when
        things are broken. NothingToRollBackError when the bare base is live.
        """
        home = self._home(character)
        if not home.is_dir():
            raise NothingToRollBackError(f"{character} speaks with the bare base already")
        with _writing(home), _hold_lock(home):
            aliases = _read_aliases(home)
            if aliases.live is None:
                raise NothingToRollBackError(f"{character} speaks with the bare base already")
            return _write(home, self._rolled_back(character, aliases))

    def _rolled_back(self, character: str, aliases: Aliases) -> Aliases:
        for index, version in enumerate(aliases.previous):
            if self._verifies(character, version):
                return Aliases(live=version, previous=aliases.previous[index + 1 :])
        return Aliases()

    def _verifies(self, character: str, version: str) -> bool:
        try:
            self.verify(character, version)
        except (UnknownVersionError, CorruptAdapterError):
            return False
        return True

    def _home(self, character: str) -> Path:
        if not re.fullmatch(ID_PATTERN, character):
            raise InvalidIdError(f"{character!r} is not a character id (pattern {ID_PATTERN})")
        return self._root / character


def _promoted(aliases: Aliases, version: str) -> Aliases:
    former = () if aliases.live is None else (aliases.live,)
    return Aliases(live=version, previous=(*former, *aliases.previous)[:KEPT_PREVIOUS])


def _check_draft(draft: Draft) -> None:
    if draft.parent is not None:
        _checked_version(draft.parent)
    try:
        _MANIFEST.validate_json(_as_json(_manifest(draft, "", 0)), strict=True)
    except (ValueError, TypeError) as error:  # from json and from the schema
        raise InvalidDraftError(f"the draft cannot be written as a manifest: {error}") from error


def _check_source(source: Path) -> None:
    for name in ADAPTER_FILES:
        file = source / name
        if not file.is_file() or file.stat().st_size == 0:
            raise InvalidDraftError(f"{file} is missing or empty; save the adapter there first")


def _checked_version(version: str) -> str:
    if not _VERSION.fullmatch(version):
        raise InvalidIdError(f"{version!r} is not a version id such as 'v0007-3fa91c2b'")
    return version


def _manifest(draft: Draft, digest: str, number: int) -> Manifest:
    return Manifest(
        version=f"v{number:04d}-{digest[:8]}",
        number=number,
        content_hash=digest,
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        **{field.name: getattr(draft, field.name) for field in fields(draft)},
    )


def _release(draft: Draft, staging: Path, home: Path) -> Manifest:
    digest = content_hash(staging)  # of the copy: the source may change under us
    with _hold_lock(home):
        manifest = _manifest(draft, digest, 1 + max(_numbers(home), default=0))
        write_synced(staging / "manifest.json", _as_json(manifest))
        sync_folder(staging)
        staging.rename(home / manifest.version)
        sync_folder(home)
    return _read_manifest(home / manifest.version)


def _version_folders(home: Path) -> list[Path]:
    if not home.is_dir():
        return []
    return [entry for entry in home.iterdir() if _VERSION.fullmatch(entry.name)]


def _numbers(home: Path) -> Iterator[int]:
    # Unreadable versions count too: a number is never given twice.
    for folder in _version_folders(home):
        if match := _VERSION.fullmatch(folder.name):
            yield int(match[1])


def _readable(folder: Path) -> Manifest | None:
    try:
        return _read_manifest(folder)
    except CorruptAdapterError:
        return None


def _read_manifest(folder: Path) -> Manifest:
    file = folder / "manifest.json"
    _require_inside(file)
    try:
        manifest = _MANIFEST.validate_json(read_plain(file, _MAX_MANIFEST), strict=True)
    except (OSError, ValidationError) as error:
        raise CorruptAdapterError(f"{file}: {brief(error)}; {_ADD_AGAIN}") from error
    expected = f"v{manifest.number:04d}-{manifest.content_hash[:8]}"
    if folder.name != manifest.version or manifest.version != expected:
        raise CorruptAdapterError(f"{file} describes {manifest.version}, not this folder")
    if folder.parent.name != manifest.character:
        raise CorruptAdapterError(f"{file} belongs to character {manifest.character}")
    return manifest


def _require_inside(file: Path) -> None:
    """Raise CorruptAdapterError where a link on the way to a version's file leads out of the repo.

    What is not there is told by whoever reads it.
    """
    try:
        inside(file, file.parents[2])
    except LinkError as error:
        raise CorruptAdapterError(f"{file} {error}; {_ADD_AGAIN}") from error
    except OSError:
        return


def _alias_stamp(home: str) -> AliasStamp | None:
    try:
        found = os.stat(f"{home}/aliases.json")  # noqa: PTH116 - of thousands, twice a second
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)


def _read_aliases(home: Path) -> Aliases:
    file = home / "aliases.json"
    try:
        aliases = _ALIASES.validate_json(read_plain(file, _MAX_ALIASES), strict=True)
        for version in _versions_in(aliases):
            _checked_version(version)
    except FileNotFoundError:
        return Aliases()
    except (OSError, ValidationError, InvalidIdError) as error:
        raise CorruptAliasesError(
            f"{file}: {brief(error)}; restore it from a backup, or delete it (the character then"
            " speaks with the bare base) and promote a version again"
        ) from error
    return aliases


def _versions_in(aliases: Aliases) -> Iterator[str]:
    yield from aliases.previous
    if aliases.live is not None:
        yield aliases.live
    if aliases.canary is not None:
        yield aliases.canary.version


def _write(home: Path, aliases: Aliases) -> Aliases:
    # Under the lock, so one fixed name serves; a leftover of a killed writer is overwritten.
    beside = home / ".aliases.json"
    write_synced(beside, _as_json(aliases))
    beside.replace(home / "aliases.json")
    sync_folder(home)
    return aliases


@contextmanager
def _writing(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if isinstance(error, RepoWriteError):
            raise
        raise RepoWriteError(f"{home}: {error}; what was published before is unchanged") from error


@contextmanager
def _hold_lock(home: Path) -> Iterator[None]:
    with (home / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file releases the lock


@contextmanager
def _staging_folder(home: Path) -> Iterator[Path]:
    """A fresh `.tmp-` folder, locked for as long as its publisher lives; gone afterwards."""
    with _hold_lock(home):  # so that nobody sweeps it between its creation and its lock
        _sweep(home)
        staging = home / f".tmp-{uuid.uuid4().hex}"
        staging.mkdir()
        claim = claim_folder(staging)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # already renamed when all went well
        if claim is not None:
            os.close(claim)


def _sweep(home: Path) -> None:
    for leftover in home.glob(".tmp-*"):
        if leftover.is_dir() and (claim := claim_folder(leftover)) is not None:
            shutil.rmtree(leftover, ignore_errors=True)
            os.close(claim)


def _as_json(content: Manifest | Aliases) -> bytes:
    return json.dumps(asdict(content), indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"


def _feed(digest: "hashlib._Hash", file: Path) -> None:
    try:
        with open_plain(file) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise CorruptAdapterError(f"{file}: {error.strerror}; {_ADD_AGAIN}") from error


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as stream:
        os.fsync(stream.fileno())
