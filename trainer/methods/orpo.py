"""Trains an adapter on preference pairs without a reference: ORPO (Hong 2024).

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_pairs, examples, start, out, RunIO(print))

Loss: cross-entropy of the chosen reply - beta * log sigmoid(log odds ratio), the odds being those
of mean token probabilities. No reference has to be computed, and none holds the character near its
parent: only rehearsal does. The designer's examples are rehearsed as pairs of equal sides: their
odds ratio has no gradient, their words have one. The paper's code learns prompt and reply by heart;
here it is the reply alone. Experimental in TRL.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from peft import PeftModel
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from trainer.methods.pair_lesson import train_on_pairs
from trainer.methods.reference_free import (
    ScoresIds,
    install_scoring,
    padding_tokenizer,
    side_columns,
    with_limit,
)
from trainer.rows.datasets import Lesson, PairIds
from trainer.settings import LoraShape, Memory, Schedule, require
from trainer.training import Arguments


@dataclass(frozen=True)
class Config:
    """How to train on pairs without a reference."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=Schedule)
    memory: Memory = field(default_factory=Memory)
    beta: float = 0.1  # weight of the odds ratio against the chosen reply's cross-entropy

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")


class ORPOTrainerOnIds(ScoresIds, ORPOTrainer):
    """TRL's trainer on ids that are final."""


def build(
    config: Config,
    learned: Lesson[PairIds],
    base_dir: Path,
    policy: PeftModel,
    arguments: Arguments,
) -> ORPOTrainerOnIds:
    """The trainer, set up and not started."""
    trainer = ORPOTrainerOnIds(
        model=policy,
        args=ORPOConfig(
            **with_limit(arguments, config.schedule),
            beta=config.beta,
            disable_dropout=False,  # there is no reference that it could tell apart
        ),
        train_dataset=side_columns(learned.rows),
        eval_dataset=side_columns(learned.development) if learned.development else None,
        processing_class=padding_tokenizer(base_dir),
    )
    install_scoring(trainer, policy)
    return trainer


#: Trains an adapter on preference pairs, rehearsing the designer's examples.
run = partial(train_on_pairs, build)
