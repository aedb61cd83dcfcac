"""Thumbs into an adapter: KTO (Ethayarajh 2024), which needs no pairs.

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_labels, examples, start, out, print)

Good and bad replies are weighted so that both kinds pull alike (the paper's equation 8). KTO judges
a reply against how far the policy has drifted, which it measures inside one micro-batch, so
that needs at least four rows. A machine with room for one row at a time trains APO-zero instead,
which measures no drift. Left out: KTO's separate weights per reason of a thumb.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel, set_seed
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from feedback_store.selection import Labelled
from trainer.datasets import (
    Fitting,
    LabelledIds,
    Spoken,
    fitting,
    interleaved,
    labelled_dataset,
    rehearsed_label,
)
from trainer.datasets import labelled_ids as to_ids
from trainer.forward import install
from trainer.lora import StartingPoint, load_policy, save_adapter
from trainer.progress import Desk, RunResult
from trainer.rehearsal import beside
from trainer.settings import LoraShape, Memory, Schedule, require
from trainer.training import Watch, common_arguments, train, use_all_cores

SMALLEST_DRIFT_BATCH = 4


@dataclass(frozen=True)
class Config:
    """How to train on labelled replies."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=Schedule)
    memory: Memory = field(default_factory=Memory)
    beta: float = 0.1  # higher stays closer to the reference

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")
        rows = self.schedule.micro_batch_rows
        enough = rows == 1 or rows >= SMALLEST_DRIFT_BATCH
        require(enough, "micro_batch_rows", rows, f"1 or at least {SMALLEST_DRIFT_BATCH} for KTO")

    @property
    def loss(self) -> str:
        """TRL's name of the loss that this micro-batch allows."""
        return "kto" if self.schedule.micro_batch_rows > 1 else "apo_zero_unpaired"


@dataclass(frozen=True)
class Weights:
    """What a good and a bad reply count."""

    desirable: float
    undesirable: float


class ReadyLabelsTrainer(KTOTrainer):
    """TRL's trainer on ids that are final: see `trainer.datasets`."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


def run(
    config: Config,
    rows: Sequence[Labelled],
    examples: Sequence[Spoken],
    start: StartingPoint,
    out_dir: Path,
    desk: Desk,
) -> RunResult:
    """Train an adapter on `rows`, rehearsing `examples`; write its two files into `out_dir`.

    Raises RowsError, AdapterError, BaseModelError before training, TrainingError during it.
    """
    ready = fitting((to_ids(row, start.tokenizer) for row in rows), config.schedule.max_tokens)
    schedule = config.schedule
    rehearsed = beside(len(ready.rows), examples, schedule.rehearsed_share, schedule.seed)
    ordered = interleaved((*ready.rows, *map(rehearsed_label, rehearsed)), schedule.seed)
    use_all_cores()
    set_seed(config.schedule.seed)
    policy = load_policy(start.base_dir, start.adapter, config.lora)
    watch = Watch(desk.on_progress)
    with tempfile.TemporaryDirectory() as scratch:
        train_s = train(build(config, ordered, policy, start.base_dir, Path(scratch)), watch)
    save_adapter(policy, start.base_dir, out_dir)
    return _result(out_dir, ready, watch, train_s)


def balanced(rows: Sequence[LabelledIds]) -> Weights:
    """Weights under which both kinds have the same total; the rarer kind counts more.

    The paper allows the good ones up to a third more than the bad; equal is the middle of what
    is safe when either is rare.
    """
    good = sum(row.desirable for row in rows)
    bad = len(rows) - good
    return Weights(max(1.0, bad / good), max(1.0, good / bad))


def build(
    config: Config, rows: Sequence[LabelledIds], policy: PeftModel, base_dir: Path, scratch: Path
) -> ReadyLabelsTrainer:
    """The trainer, set up and not started. `rows` are in training order."""
    trainer = ReadyLabelsTrainer(
        model=policy,
        args=_arguments(config, balanced(rows), scratch),
        train_dataset=labelled_dataset(rows, config.schedule.micro_batch_rows),
        processing_class=AutoTokenizer.from_pretrained(base_dir),
    )
    install(cast(PreTrainedModel, policy.get_base_model()))
    return trainer


def _arguments(config: Config, weights: Weights, scratch: Path) -> KTOConfig:
    return KTOConfig(
        **common_arguments(config.schedule, scratch),
        loss_type=config.loss,
        train_sampling_strategy="sequential",  # the order carries the interleaving
        beta=config.beta,
        desirable_weight=weights.desirable,
        undesirable_weight=weights.undesirable,
    )


def _result(out_dir: Path, ready: Fitting[LabelledIds], watch: Watch, train_s: float) -> RunResult:
    return RunResult(
        adapter=out_dir,
        rows=len(ready.rows),
        refused_too_long=ready.refused_too_long,
        steps=len(watch.history),
        train_s=train_s,
        history=tuple(watch.history),
    )
