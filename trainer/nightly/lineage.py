"""What a candidate is trained from: the base, unpacked, and the version that it goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.llama import Vocab
from personas.adapter_repo import AdapterRepo
from trainer.base import ensure_base, file_sha256
from trainer.errors import BaseModelError
from trainer.nightly import disk
from trainer.nightly.job import Job


@dataclass(frozen=True)
class Lineage:
    """What training and examination load."""

    vocab: Vocab  # the served model's own: what it feeds is what is trained
    base_dir: Path  # dequantised
    parent_folder: Path | None  # None = the bare base


def base_sha256(job: Job) -> str:
    """Which base it is. BaseModelError when it cannot be read."""
    try:
        return file_sha256(job.base)
    except OSError as error:
        raise BaseModelError(f"base model {job.base} cannot be read: {error}") from error


def parent_of(job: Job, live: str | None, sha256: str) -> str | None:
    """The version to go on from; None = the bare base. Raises AdapterRepoError."""
    if live is None:
        return None
    # An adapter belongs to its base: on another one, training starts over from the same rows.
    manifest = AdapterRepo(job.adapters).verify(job.character, live)
    return live if manifest.base_sha256 == sha256 else None


def load(job: Job, parent: str | None, sha256: str) -> Lineage:
    """Unpack the base, once for all runs. BaseModelError, DiskError, AdapterRepoError."""
    if not (job.cache / "dequantised" / sha256[:16]).is_dir():
        disk.require_room(job.cache, disk.dense_bytes(job.base), "the unpacked base")
    folder = AdapterRepo(job.adapters).path(job.character, parent) if parent else None
    return Lineage(Vocab(job.base), ensure_base(job.base, job.cache), folder)
