"""Where a base model comes from: a package index, a model hub, or a file that is here already."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from npc_server.base_models.errors import InvalidModelError

HUB_SCHEME = "hf:"
_REFERENCE = re.compile(r"hf:([\w.-]+/[\w.-]+)/([^@]+?)(?:@(.+))?")
_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True)
class WheelSource:
    """A GGUF inside a wheel of a package index."""

    requirement: str  # as pip takes it
    member: str  # path inside the wheel

    @property
    def file_name(self) -> str:
        """Name of the GGUF."""
        return PurePosixPath(self.member).name


@dataclass(frozen=True)
class HubSource:
    """A GGUF in a repository of a model hub."""

    repo: str  # OWNER/NAME
    file: str  # path inside the repository
    revision: str = ""  # commit, branch or tag; "" = the newest

    @property
    def file_name(self) -> str:
        """Name of the GGUF."""
        return PurePosixPath(self.file).name

    def __str__(self) -> str:
        return f"{HUB_SCHEME}{self.repo}/{self.file}" + (f"@{self.revision}" * bool(self.revision))


@dataclass(frozen=True)
class FileSource:
    """A GGUF on this machine, used where it lies."""

    path: Path  # absolute

    @property
    def file_name(self) -> str:
        """Name of the GGUF."""
        return self.path.name


Source = WheelSource | HubSource | FileSource


def hub_source(reference: str) -> HubSource:
    """Read `hf:OWNER/REPO/FILE[@REVISION]`. Raises InvalidModelError."""
    found = _REFERENCE.fullmatch(reference.strip())
    if found is None:
        raise InvalidModelError(
            f"{reference!r} is no file of a hub: write hf:OWNER/REPO/FILE.gguf, and @REVISION for"
            " a commit, branch or tag, such as hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf@main"
        )
    repo, file, revision = found.groups()
    if not file.lower().endswith(".gguf"):
        raise InvalidModelError(f"{file!r} in {reference!r} is no GGUF: its name ends differently")
    return HubSource(repo, file, revision or "")


def shards(file_name: str) -> int:
    """How many files a model is split into by the name of one of them; 1 = it is whole."""
    found = _SHARD.search(file_name)
    return int(found[1]) if found else 1
