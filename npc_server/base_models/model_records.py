"""Names that were given to bases here, and which exact file a name of the catalogue stands for.

    <root>/town-crier.json      a record per name, written beside its place and renamed

A record outlives the cache: adapters fit one exact file, so what is fetched again after the cache
was deleted must be the same file, whatever is the newest by then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from npc_server.base_models.catalogue import NamedModel, require_name
from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.sources import FileSource, HubSource


@dataclass(frozen=True)
class _Record:
    """The file's content; of a hub's file or of a path, one is empty."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    sha256: str
    size_bytes: int
    recorded_at: str  # ISO 8601, UTC
    repo: str = ""
    file: str = ""
    revision: str = ""
    path: str = ""
    license: str = ""
    terms: str = ""
    good_for: str = ""
    terms_accepted: bool = False

    def model(self, name: str) -> NamedModel:
        source = (
            FileSource(Path(self.path))
            if self.path
            else HubSource(self.repo, self.file, self.revision)
        )
        return NamedModel(
            name,
            source,
            self.sha256,
            self.size_bytes,
            self.license,
            "" if self.terms_accepted else self.terms,
            self.good_for,
        )


_RECORD = TypeAdapter(_Record)


class ModelRecords:
    """The records below one folder; holds no state of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        """All names that have a record."""
        return sorted(file.stem for file in self._root.glob("[!.]*.json"))

    def find(self, name: str) -> NamedModel | None:
        """The model of a name; None without a record.

        Raises ModelUnavailableError for a damaged one.
        """
        file = self._root / f"{name}.json"
        return _read(file) if name in self.names() else None

    def record(self, model: NamedModel, *, terms_accepted: bool = False) -> None:
        """Let the model's name stand for this very file from now on.

        Raises InvalidModelError for a name that cannot be one, ModelUnavailableError when the disk
        refuses.
        """
        require_name(model.name)
        path = self._root / f"{model.name}.json"
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(_RECORD.dump_json(_record_of(model, terms_accepted), indent=2))
            beside.replace(path)
        except OSError as error:
            raise ModelUnavailableError(f"cannot write {path}: {error}") from error

    def forget(self, name: str) -> bool:
        """Remove a record; returns whether there was one. Raises ModelUnavailableError."""
        path = self._root / f"{name}.json"
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ModelUnavailableError(f"cannot remove {path}: {error}") from error
        return True


def _record_of(model: NamedModel, terms_accepted: bool) -> _Record:
    source = model.source
    of_hub = source if isinstance(source, HubSource) else None
    return _Record(
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        repo=of_hub.repo if of_hub else "",
        file=of_hub.file if of_hub else "",
        revision=of_hub.revision if of_hub else "",
        path=str(source.path) if isinstance(source, FileSource) else "",
        license=model.license,
        terms=model.terms,
        good_for=model.good_for,
        terms_accepted=terms_accepted,
    )


def _read(file: Path) -> NamedModel:
    try:
        return _RECORD.validate_json(file.read_bytes()).model(file.stem)
    except (OSError, ValidationError) as error:
        raise ModelUnavailableError(
            f"{file} does not say which file the name stands for: {error}\n"
            f"Remove it with: npc model remove {file.stem}, and add or pull the model again"
        ) from error
