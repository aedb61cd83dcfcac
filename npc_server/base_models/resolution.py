"""From the name or path of a base to its file: what `[model] base` and `--base` take.

A name is one that was given here, else one of the catalogue, else a base that was trained here.
Anything else is the path of a GGUF.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from npc_server.base_models.catalogue import CATALOGUE, NamedModel
from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.model_files import (
    cached_path,
    file_sha256,
    quantized_path,
    read_choice,
)
from npc_server.base_models.model_records import ModelRecords
from npc_server.base_models.quantization import Choice, Quantization
from npc_server.base_models.sources import FileSource
from npc_server.engine.plain_files import read_plain

_MAX_MANIFEST = 64 << 20  # bytes: it names every player that a base was trained on


@dataclass(frozen=True)
class ModelPlaces:
    """Where base models lie, and where their names are kept."""

    cache: Path  # what can be fetched again
    records: Path | None = None  # names that were given here; None = there are none
    own_bases: Path | None = None  # bases that were trained here; None = there are none


def names(places: ModelPlaces) -> list[str]:
    """Every name of a base: the catalogue's in its order, then others."""
    added = ModelRecords(places.records).names() if places.records else []
    return list(dict.fromkeys([*CATALOGUE, *added, *_own_names(places)]))


def find(name: str, places: ModelPlaces) -> NamedModel | None:
    """The model that goes by a name; None when nothing does.

    Raises ModelUnavailableError when what is recorded of it cannot be read.
    """
    listed = CATALOGUE.get(name)
    recorded = ModelRecords(places.records).find(name) if places.records else None
    if recorded is None:
        return listed or _own_base(name, places)
    if listed is None:
        return recorded
    good_for = recorded.good_for or listed.good_for
    return replace(recorded, shape=listed.shape, good_for=good_for)


def resolve(base: str, places: ModelPlaces) -> Path:
    """The GGUF file of a name or path. Raises ModelUnavailableError."""
    if model := find(base, places):
        return serving_path(model, places.cache)
    path = Path(base).expanduser()
    if not path.is_file():
        known = ", ".join(names(places))
        raise ModelUnavailableError(f"{base!r} is neither a GGUF file nor one of: {known}")
    return path


def serving_path(model: NamedModel, cache_dir: Path) -> Path:
    """The file of a model that serves. Raises ModelUnavailableError."""
    choice = read_choice(model, cache_dir)
    if choice and choice.chosen is not Quantization.ORIGINAL:
        return _chosen_path(model, cache_dir, choice)
    path = cached_path(model, cache_dir)
    if not path.is_file():
        raise ModelUnavailableError(_absence(model, path))
    _require_size(model, path)
    return path


def _absence(model: NamedModel, path: Path) -> str:
    if isinstance(model.source, FileSource):
        return (
            f"{path}, which goes by the name {model.name}, is not there; put it back, or let the"
            f" name stand for another file: npc model remove {model.name}, then npc model add"
        )
    return f"{model.name} is not in {path.parent}; run: {model.pull_command}"


def _require_size(model: NamedModel, path: Path) -> None:
    """Raise ModelUnavailableError for a file that is plainly another than was recorded."""
    found = path.stat().st_size
    if model.size_bytes and found != model.size_bytes:
        raise ModelUnavailableError(
            f"{path} is not the file that {model.name} stands for: it has {found:,} bytes, recorded"
            f" are {model.size_bytes:,}; {_repair(model)}"
        )


def _repair(model: NamedModel) -> str:
    if isinstance(model.source, FileSource):
        return (
            f"put the old file back, or let the name stand for the new one: npc model remove"
            f" {model.name}, then npc model add {model.name} {model.source.path}"
        )
    return f"fetch it again with: {model.pull_command}"


def _chosen_path(model: NamedModel, cache_dir: Path, choice: Choice) -> Path:
    path = quantized_path(model, cache_dir, choice.chosen)
    remedy = (
        f"make it again with: {model.pull_command}, or go back to the file as fetched with: "
        f"{model.pull_command} --quantize original"
    )
    if not path.is_file():
        raise ModelUnavailableError(f"{path}, which was chosen to serve, is not there; {remedy}")
    found = file_sha256(path)
    if found != choice.file.sha256:
        raise ModelUnavailableError(
            f"{path} has changed since it was chosen to serve: sha256 {found[:16]}…, recorded "
            f"{choice.file.sha256[:16]}…; {remedy}"
        )
    return path


def _own_names(places: ModelPlaces) -> list[str]:
    if places.own_bases is None:
        return []
    return sorted(path.parent.name for path in places.own_bases.glob("[!.]*/manifest.json"))


def _own_base(name: str, places: ModelPlaces) -> NamedModel | None:
    """A base that was trained here, as its manifest describes it."""
    if places.own_bases is None or name not in _own_names(places):
        return None
    folder = places.own_bases / name
    path = folder / f"{name}.gguf"
    try:
        content = read_plain(folder / "manifest.json", _MAX_MANIFEST)
        sha256 = str(json.loads(content)["sha256"])
        return NamedModel(name, FileSource(path), sha256, path.stat().st_size)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelUnavailableError(
            f"{folder} does not say which base it holds: {error}; restore it from a backup"
        ) from error
