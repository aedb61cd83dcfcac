"""What a candidate is trained from and compared with: the base, unpacked, and versions on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_server.engine.lora.lora_gguf import linear_shapes, module_names
from npc_server.engine.vocab import Vocab
from personas.adapter_repo import AdapterRepo
from personas.chat_ids import chat_of
from trainer.base import dense_folder, ensure_base, file_sha256
from trainer.errors import AdapterError, BaseModelError
from trainer.lora import ADAPTER_CONFIG
from trainer.nightly.job import Job
from trainer.records.entries import Terms
from trainer.rope_scaling import read_rope_scaling
from trainer.settings import LoraShape

#: Options under which an adapter is no plain one, so that training cannot go on from it.
_NOT_PLAIN = ("rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "layers_to_transform")


@dataclass(frozen=True)
class Lineage:
    """What training and examination load."""

    vocab: Vocab  # of the served model, so that what is trained is what is served
    base_dir: Path  # dequantised
    parent_folder: Path | None  # trained from; None = the bare base
    incumbent_folder: Path | None  # compared with; None = the bare base


@dataclass(frozen=True)
class Ancestry:
    """Where a candidate comes from, and what is live, as far as this server can serve it."""

    incumbent: str | None  # version to compare with; None = the bare base
    parent: str | None  # version to go on from; None = the bare base
    why_anew: str = ""  # why training does not go on from the live version; "" = it does


def base_sha256(job: Job) -> str:
    """The sha256 of the job's base. BaseModelError when it cannot be read."""
    try:
        return file_sha256(job.base)
    except OSError as error:
        raise BaseModelError(f"base model {job.base} cannot be read: {error}") from error


def ancestry(job: Job, live: str | None, sha256: str, shape: LoraShape) -> Ancestry:
    """What a candidate of this shape is trained from and compared with. AdapterRepoError.

    A version of another base, or of a rank that the engine refuses, is not what players hear now.
    One of another shape is, but cannot be continued.
    """
    if live is None:
        return Ancestry(None, None)
    if why_not := _why_not_served(job, live, sha256):
        return Ancestry(None, None, why_not)
    config = _adapter_config(AdapterRepo(job.adapters).path(job.character, live))
    change = _change(config, shape, job.base)
    return Ancestry(live, None if change else live, f"{live} has {change}" if change else "")


def incumbent_of(job: Job, live: str | None, sha256: str) -> str | None:
    """The version to compare with; None = the bare base. Raises AdapterRepoError, AdapterError."""
    return live if live and not _why_not_served(job, live, sha256) else None


def _why_not_served(job: Job, live: str, sha256: str) -> str:
    """Why players hear the bare base though this version is live; "" = they hear it."""
    repo = AdapterRepo(job.adapters)
    manifest = repo.verify(job.character, live)
    if manifest.base_sha256 != sha256:
        return f"{live} was trained on another base"
    if not chat_of(job.open_vocab()).matches(manifest.chat_format):
        return f"{live} was trained in another chat format"
    config = _adapter_config(repo.path(job.character, live))
    ranks, most = [config["r"], *(config.get("rank_pattern") or {}).values()], job.engine.max_rank
    rank = max(map(int, ranks))
    if rank > most:
        return f"{live} has rank {rank}, above max_rank = {most} of [engine], so it is not served"
    return ""


def _adapter_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / ADAPTER_CONFIG).read_text("utf-8"))
        int(config["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AdapterError(f"{folder / ADAPTER_CONFIG} is unreadable: {error!r}") from error
    return config


def _change(config: dict[str, Any], shape: LoraShape, base: Path) -> str:
    """How an adapter's shape differs from what is asked for; "" = it does not."""
    if (config["r"], config.get("lora_alpha")) != (shape.rank, shape.alpha):
        had, wanted = (config["r"], config.get("lora_alpha")), (shape.rank, shape.alpha)
        return f"rank and alpha {had[0]} and {had[1]}, not {wanted[0]} and {wanted[1]}"
    if used := [name for name in _NOT_PLAIN if config.get(name)]:
        return ", ".join(used)
    layers = set(shape.targets) or module_names(linear_shapes(base))
    targets = config.get("target_modules") or ()
    named = [targets] if isinstance(targets, str) else targets
    own = {str(name).rpartition(".")[2] for name in named}  # PEFT may write their whole path
    if own != layers:
        return f"the layers {', '.join(sorted(own))}, not {', '.join(sorted(layers))}"
    return ""


def unpacked_base(job: Job, sha256: str) -> Path:
    """Where the base is, or will be, unpacked. Raises BaseModelError."""
    scaling = read_rope_scaling(job.base, job.engine.context_tokens)
    return dense_folder(job.cache, sha256, scaling)


def load(job: Job, terms: Terms) -> Lineage:
    """Unpack the base unless it is there. BaseModelError, AdapterRepoError."""
    # Records of an earlier release name no incumbent: it was the parent.
    compared = terms.incumbent or terms.parent
    parent, incumbent = (_folder(job, version) for version in (terms.parent, compared))
    base_dir = ensure_base(job.base, job.cache, terms.base_sha256, job.engine.context_tokens)
    return Lineage(job.open_vocab(), base_dir, parent, incumbent)


def _folder(job: Job, version: str | None) -> Path | None:
    return AdapterRepo(job.adapters).path(job.character, version) if version else None
