"""Trains an adapter on preference pairs without a reference: SimPO (Meng 2024).

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_pairs, examples, start, out, RunIO(print))

Loss: -log sigmoid(beta * margin - target_margin) + sft_weight * cross-entropy of the chosen reply,
where the margin is that of mean log-probabilities per token: a long reply has no advantage over a
short one. The paper has no supervised term; without one nothing holds the character to words that
players wrote. The designer's examples are rehearsed as pairs of equal sides, whose margin has no
gradient. Left out: AlphaPO's other shape of the reward, and smoothed labels. Experimental in TRL.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from peft import PeftModel
from trl.experimental.cpo import CPOConfig, CPOTrainer

from trainer.methods.pair_lesson import require_taught, train_on_pairs
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
    beta: float = 2.0  # how sharply a margin counts
    target_margin: float = 1.0  # gamma: how much better the chosen reply should be, times beta
    sft_weight: float = 1.0  # 0 = preference alone, as in the paper

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")
        margin = self.target_margin
        require(0 <= margin <= 10, "target_margin", margin, "between 0 and 10")
        require(0 <= self.sft_weight <= 10, "sft_weight", self.sft_weight, "between 0 and 10")
        require_taught(self.schedule, self.sft_weight)


class SimPOTrainerOnIds(ScoresIds, CPOTrainer):
    """TRL's trainer on ids that are final."""


def build(
    config: Config,
    learned: Lesson[PairIds],
    base_dir: Path,
    policy: PeftModel,
    arguments: Arguments,
) -> SimPOTrainerOnIds:
    """The trainer, set up and not started."""
    trainer = SimPOTrainerOnIds(
        model=policy,
        args=CPOConfig(
            **with_limit(arguments, config.schedule),
            loss_type="simpo",
            beta=config.beta,
            simpo_gamma=config.target_margin,
            cpo_alpha=config.sft_weight,
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
