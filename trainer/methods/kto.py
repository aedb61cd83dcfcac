"""Trains an adapter on thumbs: KTO (Ethayarajh 2024), which needs no pairs.

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_labels, examples, start, out, RunIO(print))

Good and bad replies are weighted so that both kinds pull alike (the paper's equation 8), each
times how far it is trusted. KTO judges a reply against how far the policy has drifted, measured
inside one micro-batch, which therefore needs at least four rows; `apo` measures no drift and needs
one. Left out: KTO's separate weights per reason of a thumb.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from feedback_store.selection import Labelled
from personas.render import Tokenizer
from trainer.forward import install
from trainer.lora import StartingPoint
from trainer.methods.examples import rehearsed_beside
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import (
    FinalIds,
    LabelledIds,
    Lesson,
    Spoken,
    interleaved,
    labelled_dataset,
    labelled_ids,
    lesson,
    rehearsed_label,
    with_weights,
)
from trainer.rows.development import split
from trainer.settings import (
    CommonSettings,
    LoraShape,
    Memory,
    Schedule,
    refuse_dropout,
    require,
)
from trainer.training import Arguments, train_adapter

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
        refuse_dropout(self.lora)
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")
        rows, least = self.schedule.micro_batch_rows, SMALLEST_DRIFT_BATCH
        rule = f"at least {least}, to measure drift; method apo_zero needs one"
        require(rows >= least, "micro_batch_rows", rows, rule)

    @property
    def loss(self) -> str:
        """TRL's name of the loss."""
        return "kto"


class LabelSettings(CommonSettings, Protocol):
    """The settings of a method that learns from labelled replies."""

    @property
    def beta(self) -> float:
        """Higher stays closer to the reference."""

    @property
    def loss(self) -> str:
        """TRL's name of the loss."""


@dataclass(frozen=True)
class LabelWeights:
    """The weights of good and of bad replies."""

    desirable: float
    undesirable: float


class KTOTrainerOnIds(FinalIds, KTOTrainer):
    """TRL's trainer on ids that are final."""


def run(
    config: LabelSettings,
    rows: Sequence[Labelled],
    examples: Sequence[Spoken],
    start: StartingPoint,
    out_dir: Path,
    io: RunIO,
) -> RunResult:
    """Train an adapter on `rows`, rehearsing `examples`; write its two files into `out_dir`.

    Raises RowsError, AdapterError, BaseModelError before training, TrainingError during it.
    """
    learned = lesson_of(config, rows, examples, start.tokenizer)
    trainer_from = partial(build, config, learned, start.base_dir)
    # Drift is measured over the rows of a micro-batch: with fewer it would be another loss.
    least_rows = config.schedule.micro_batch_rows if config.loss == "kto" else 1
    return train_adapter(config, learned, start, out_dir, io, trainer_from, least_rows=least_rows)


def lesson_of(
    config: LabelSettings,
    rows: Sequence[Labelled],
    examples: Sequence[Spoken],
    tokenizer: Tokenizer,
) -> Lesson[LabelledIds]:
    """The labelled replies among the rehearsed examples, in training order. Raises RowsError."""
    schedule = config.schedule

    def rehearse(count: int) -> list[LabelledIds]:
        share, seed = schedule.rehearsed_share, schedule.seed
        return [rehearsed_label(one) for one in rehearsed_beside(count, examples, share, seed)]

    fitted = lesson(
        split(rows, schedule),
        lambda row: labelled_ids(row, tokenizer),
        rehearse,
        schedule.max_tokens,
    )
    return replace(fitted, rows=interleaved(fitted.rows, schedule.seed))


def balancing_weights(rows: Sequence[LabelledIds]) -> LabelWeights:
    """Weights under which both kinds have the same total trust; the rarer kind counts more.

    The paper allows the good ones up to a third more than the bad; equal is the middle of what
    is safe when either is rare.
    """
    good = sum(row.weight for row in rows if row.desirable)
    bad = sum(row.weight for row in rows if not row.desirable)
    return LabelWeights(max(1.0, bad / good), max(1.0, good / bad))


def build(
    config: LabelSettings,
    learned: Lesson[LabelledIds],
    base_dir: Path,
    policy: PeftModel,
    arguments: Arguments,
) -> KTOTrainerOnIds:
    """The trainer, set up and not started. The lesson's rows are in training order."""
    batch = int(arguments["per_device_train_batch_size"])
    trainer = KTOTrainerOnIds(
        model=policy,
        args=_arguments(config, balancing_weights(learned.rows), arguments),
        train_dataset=labelled_dataset(learned.rows, batch),
        eval_dataset=labelled_dataset(learned.development, batch) if learned.development else None,
        processing_class=AutoTokenizer.from_pretrained(base_dir),
    )
    collate: Any = trainer.data_collator
    trainer.data_collator = with_weights(collate, sides=1)
    install(cast(PreTrainedModel, policy.get_base_model()))
    return trainer


def _arguments(config: LabelSettings, weights: LabelWeights, arguments: Arguments) -> KTOConfig:
    return KTOConfig(
        **arguments,
        loss_type=config.loss,
        train_sampling_strategy="sequential",  # the order carries the interleaving
        beta=config.beta,
        desirable_weight=weights.desirable,
        undesirable_weight=weights.undesirable,
    )
