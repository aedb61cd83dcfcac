"""What a candidate is trained from and compared with: the base, unpacked, and versions on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.llama import Vocab
from personas.adapter_repo import AdapterRepo
from trainer.base import ensure_base, file_sha256
from trainer.errors import BaseModelError
from trainer.nightly import disk
from trainer.nightly.job import Job
from trainer.records.runs import Terms


@dataclass(frozen=True)
class Lineage:
    """What training and examination load."""

    vocab: Vocab  # the served model's own: what it feeds is what is trained
    base_dir: Path  # dequantised
    parent_folder: Path | None  # trained from; None = the bare base
    incumbent_folder: Path | None  # compared with; None = the bare base


def base_sha256(job: Job) -> str:
    """Which base it is. BaseModelError when it cannot be read."""
    try:
        return file_sha256(job.base)
    except OSError as error:
        raise BaseModelError(f"base model {job.base} cannot be read: {error}") from error


def incumbent_of(job: Job, live: str | None, sha256: str) -> str | None:
    """The live version if it is on this base; None = the bare base. Raises AdapterRepoError."""
    if live is None:
        return None
    # An adapter belongs to its base: on another one, training starts over from the same rows.
    manifest = AdapterRepo(job.adapters).verify(job.character, live)
    return live if manifest.base_sha256 == sha256 else None


def load(job: Job, terms: Terms) -> Lineage:
    """Unpack the base, once for all runs. BaseModelError, DiskError, AdapterRepoError."""
    sha256 = terms.base_sha256
    if not (job.cache / "dequantised" / sha256[:16]).is_dir():
        disk.require_room(job.cache, disk.dense_bytes(job.base), "the unpacked base")
    # Records of an earlier release name no incumbent; theirs was the parent.
    compared = terms.incumbent or terms.parent
    parent, incumbent = (_folder(job, version) for version in (terms.parent, compared))
    return Lineage(Vocab(job.base), ensure_base(job.base, job.cache), parent, incumbent)


def _folder(job: Job, version: str | None) -> Path | None:
    return AdapterRepo(job.adapters).path(job.character, version) if version else None
