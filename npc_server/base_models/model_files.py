"""Where the files of a named model lie, and the record of which quantization of it serves.

The file as fetched is the model. A record beside the files made from it may name another
quantization as the one that serves; that file is checked against the record whenever it is
resolved. Adapters fit one exact file, so neither a changed file nor the original is ever served in
its place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import Choice, Quantization
from npc_server.base_models.sources import FileSource, HubSource

_CHUNK_BYTES = 1 << 20
_CHOICE = TypeAdapter(Choice)


def model_folder(model: NamedModel, cache_dir: Path) -> Path:
    """The folder of what is fetched of a model, and of what is made from it."""
    models = cache_dir / "models"
    return models / model.name if isinstance(model.source, HubSource | FileSource) else models


def cached_path(model: NamedModel, cache_dir: Path) -> Path:
    """Where a model lies as fetched; one that was added by its path stays where it is."""
    if isinstance(model.source, FileSource):
        return model.source.path
    return model_folder(model, cache_dir) / model.file_name


def quantized_path(model: NamedModel, cache_dir: Path, quantization: Quantization) -> Path:
    """Where a quantization of a model lies."""
    if quantization is Quantization.ORIGINAL:
        return cached_path(model, cache_dir)
    stem = Path(model.file_name).stem
    return model_folder(model, cache_dir) / f"{stem}.{quantization}.gguf"


def is_unpacked(model: NamedModel, cache_dir: Path) -> bool:
    """Whether the model as fetched was unpacked to train on, as the trainer does."""
    return (cache_dir / "dequantised" / model.sha256[:16]).is_dir()


def files_here(model: NamedModel, cache_dir: Path) -> Mapping[Quantization, Path]:
    """The quantizations of a model that are here, unchecked."""
    paths = {q: quantized_path(model, cache_dir, q) for q in Quantization}
    return {quantization: path for quantization, path in paths.items() if path.is_file()}


def choice_path(model: NamedModel, cache_dir: Path) -> Path:
    """Where it is recorded which quantization serves."""
    return model_folder(model, cache_dir) / f"{Path(model.file_name).stem}.choice.json"


def read_choice(model: NamedModel, cache_dir: Path) -> Choice | None:
    """Which quantization serves; None when nothing was ever chosen.

    Raises ModelUnavailableError for a record that is damaged or about another original.
    """
    path = choice_path(model, cache_dir)
    again = f"Choose again with: {model.pull_command} --quantize auto (or original)"
    try:
        choice = _CHOICE.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ModelUnavailableError(
            f"{path} does not say which quantization serves: {error}\n{again}"
        ) from error
    if choice.original.sha256 != model.sha256:
        raise ModelUnavailableError(
            f"{path} is about another original of {model.name}: sha256 "
            f"{choice.original.sha256[:16]}…, now {model.sha256[:16]}…\n{again}"
        )
    return choice


def write_choice(model: NamedModel, cache_dir: Path, choice: Choice) -> None:
    """Record which quantization serves from now on. Raises ModelUnavailableError."""
    path = choice_path(model, cache_dir)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(_CHOICE.dump_json(choice, indent=2))
        beside.replace(path)
    except OSError as error:
        raise ModelUnavailableError(f"cannot write {path}: {error}") from error


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
