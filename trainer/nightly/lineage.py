"""What a candidate is trained from and compared with: the base, unpacked, and versions on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.llama import Vocab
from personas.adapter_repo import AdapterRepo
from trainer.base import dense_folder, ensure_base, file_sha256
from trainer.errors import BaseModelError
from trainer.nightly import disk
from trainer.nightly.job import Job
from trainer.records.entries import Terms


@dataclass(frozen=True)
class Lineage:
    """What training and examination load."""

    vocab: Vocab  # of the served model, so that what is trained is what is served
    base_dir: Path  # dequantised
    parent_folder: Path | None  # trained from; None = the bare base
    incumbent_folder: Path | None  # compared with; None = the bare base


def base_sha256(job: Job) -> str:
    """The sha256 of the job's base. BaseModelError when it cannot be read."""
    try:
        return file_sha256(job.base)
    except OSError as error:
        raise BaseModelError(f"base model {job.base} cannot be read: {error}") from error


def incumbent_of(job: Job, live: str | None, sha256: str) -> str | None:
    """The version to compare with; None = the bare base. Raises AdapterRepoError."""
    if live is None:
        return None
    # An adapter belongs to its base: on another base, training starts over.
    manifest = AdapterRepo(job.adapters).verify(job.character, live)
    return live if manifest.base_sha256 == sha256 else None


def load(job: Job, terms: Terms) -> Lineage:
    """Unpack the base unless it is there. BaseModelError, DiskError, AdapterRepoError."""
    sha256 = terms.base_sha256
    if not dense_folder(job.cache, sha256).is_dir():
        disk.require_room(job.cache, disk.dense_bytes(job.base), "the unpacked base")
    # Records of an earlier release name no incumbent: it was the parent.
    compared = terms.incumbent or terms.parent
    parent, incumbent = (_folder(job, version) for version in (terms.parent, compared))
    base_dir = ensure_base(job.base, job.cache, sha256)
    return Lineage(Vocab(job.base), base_dir, parent, incumbent)


def _folder(job: Job, version: str | None) -> Path | None:
    return AdapterRepo(job.adapters).path(job.character, version) if version else None
