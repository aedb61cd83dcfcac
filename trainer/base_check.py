"""Whether a base can be trained: `npc model check` starts it.

    python -m trainer.base_check --base model.gguf --cache DIR --settings '{"training": {}, ...}'

The base is unpacked as a night would do it, and its logits are compared with the served ones; both
are kept, so the first night does not do it again. What keeps it from being trained is told with the
setting or base that would help.

Exit code 0: it can be trained. The others are in `trainer.terminal`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from npc_server.engine import host_memory
from npc_server.engine.lora.lora_gguf import linear_shapes, module_names
from npc_server.engine.settings import EngineSettings
from trainer import memory
from trainer.errors import BaseModelError
from trainer.nightly import disk
from trainer.progress import Progress
from trainer.recipes import recipe
from trainer.terminal import (
    ChatTemplate,
    InterruptOnce,
    ProcessOptions,
    Report,
    Settings,
    StartedBy,
    bars,
    carry_out,
    run_process,
    training_libraries,
)
from trainer.vocabulary import open_vocab

if TYPE_CHECKING:
    from trainer.progress import Tell

_FLOAT_BYTES = 4
_ANYBODY = ""  # no character: the settings that hold for all


@dataclass(frozen=True)
class Candidate:
    """A base that might be trained."""

    gguf: Path
    cache: Path
    engine: EngineSettings
    max_tokens: int  # that training reads
    chat_template: Path | None = None  # a file in place of the base's own template


@dataclass(frozen=True)
class Trainable:
    """What was found of a base that can be trained."""

    least_cosine: float  # of served and trained logits, of the worst band
    explained_cosine: float  # what rounding alone would leave in that band
    layers: tuple[str, ...]  # that adapters train and are served in


def require_trainable(candidate: Candidate, tell: Tell) -> Trainable:
    """Unpack and compare a base.

    Raises ModelLoadError, BaseModelError and DiskError with what would help.
    """
    from trainer.base import ensure_base, file_sha256
    from trainer.base_comparison import Bases, require_same
    from trainer.lora import adaptable_layers

    open_vocab(candidate.gguf, candidate.chat_template).close()
    require_memory(candidate.gguf)
    sha256 = file_sha256(candidate.gguf)
    require_disk(candidate, sha256)
    tell("unpack the base", Progress(0, 1, 0.0))
    base_dir = ensure_base(candidate.gguf, candidate.cache, sha256, candidate.engine.context_tokens)
    tell("unpack the base", Progress(1, 1, 0.0))
    layers = shared_layers(candidate.gguf, adaptable_layers(base_dir))
    of_training = (candidate.engine, candidate.max_tokens, candidate.chat_template)
    bases = Bases(candidate.gguf, sha256, base_dir, *of_training)
    found = require_same(bases, lambda progress: tell("compare the base", progress))
    worst = min(found, key=lambda band: band.cosine - band.least)
    return Trainable(worst.cosine, worst.least, layers)


def shared_layers(gguf: Path, trained: frozenset[str]) -> tuple[str, ...]:
    """The layers that can be trained and served. Raises BaseModelError when there is none."""
    served = module_names(linear_shapes(gguf))
    if not served & trained:
        raise BaseModelError(
            f"{gguf}: adapters of this base could be trained in {', '.join(sorted(trained)) or '-'}"
            f" and are served in {', '.join(sorted(served)) or 'no layer'}: there is none of both"
        )
    return tuple(sorted(served & trained))


def require_memory(gguf: Path) -> None:
    """Raise BaseModelError where the unpacked base is larger than the memory that is free."""
    free, dense = host_memory.available_bytes(), memory.base_size(gguf).model.weights * _FLOAT_BYTES
    if free is not None and dense > free:
        raise BaseModelError(
            f"the base takes {dense / memory.MIB:,.0f} MiB of memory when it is unpacked, and"
            f" {free / memory.MIB:,.0f} MiB are free: check and train it on a larger machine"
        )


def require_disk(candidate: Candidate, sha256: str) -> None:
    """Raise DiskError where the unpacked base is not here and finds no room."""
    from trainer.base import dense_folder

    if not any(candidate.cache.glob(f"dequantised/{dense_folder(Path(), sha256).name}*")):
        wanted = [(candidate.cache, disk.dense_bytes(candidate.gguf), "the unpacked base")]
        for shortage in disk.shortages(wanted):
            raise shortage


def main(
    base: Annotated[Path, typer.Option()],
    cache: Annotated[Path, typer.Option()],
    chat_template: ChatTemplate = None,
    settings: Settings = "{}",
    started_by: StartedBy = 0,
) -> None:
    """Say whether a base can be trained, as JSON."""
    tables = json.loads(settings)
    options = ProcessOptions(False, started_by, as_json=True, errors_as_json=True)

    def work(console: Console, interrupt: InterruptOnce) -> Report:
        with training_libraries():
            from trainer.heads import reward_head
        max_tokens = recipe.read(tables, _ANYBODY, reward_head.Config).max_tokens
        engine = recipe.read_engine(tables)
        candidate = Candidate(base, cache, engine, max_tokens, chat_template)
        return _check(candidate, console, interrupt)

    carry_out(work, tables, options)


def _check(candidate: Candidate, console: Console, interrupt: InterruptOnce) -> Report:
    with bars(console, interrupt) as tell:
        found = require_trainable(candidate, tell)
    return {"state": "ready", "reason": "it can be trained", "version": "", **asdict(found)}


if __name__ == "__main__":
    run_process(main, "npc model check", "npc model check qwen3-0.6b")
