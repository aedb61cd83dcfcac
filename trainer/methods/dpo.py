"""Trains an adapter on preference pairs: DPO (Rafailov 2023), supervised on the chosen reply too.

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_pairs, examples, start, out, RunIO(print))

Loss: -log sigmoid(beta * margin) + sft_weight * cross-entropy of the chosen reply. The defaults
are what moved a 135M character in two minutes on two cores: an edited reply is far from anything
the model would say, and the supervised term teaches it at once, where the margin alone mostly
pushes the old reply away and ends in replies that are too short. Small batches and a high rate
matter: a few dozen pairs are a night's data, and a taste takes some twenty steps to settle. Left
out of DPO's family: label smoothing (TRL ignores it for this loss) and a reference that moves.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from trainer.forward import install
from trainer.methods.pair_lesson import require_taught, train_on_pairs
from trainer.rows.datasets import FinalIds, Lesson, PairIds, pair_dataset, with_weights
from trainer.settings import LoraShape, Memory, Schedule, refuse_dropout, require
from trainer.training import Arguments

#: After twenty steps a taste has settled; facts in the designer's examples take some thirty.
MIN_STEPS = 32


@dataclass(frozen=True)
class Config:
    """How to train on pairs."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=lambda: Schedule(min_steps=MIN_STEPS))
    memory: Memory = field(default_factory=Memory)
    beta: float = 0.1  # higher stays closer to the reference
    sft_weight: float = 4.0  # 0 = preference alone, which ends in replies that are too short

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        refuse_dropout(self.lora)
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")
        require(0 <= self.sft_weight <= 10, "sft_weight", self.sft_weight, "between 0 and 10")
        require_taught(self.schedule, self.sft_weight)


class DPOTrainerOnIds(FinalIds, DPOTrainer):
    """TRL's trainer on ids that are final."""


def build(
    config: Config,
    learned: Lesson[PairIds],
    base_dir: Path,
    policy: PeftModel,
    arguments: Arguments,
) -> DPOTrainerOnIds:
    """The trainer, set up and not started."""
    trainer = DPOTrainerOnIds(
        model=policy,
        args=_arguments(config, arguments),
        train_dataset=pair_dataset(learned.rows),
        eval_dataset=pair_dataset(learned.development) if learned.development else None,
        processing_class=AutoTokenizer.from_pretrained(base_dir),
    )
    collate: Any = trainer.data_collator
    trainer.data_collator = with_weights(collate, sides=2)
    install(cast(PreTrainedModel, policy.get_base_model()))
    return trainer


def _arguments(config: Config, arguments: Arguments) -> DPOConfig:
    with_sft = config.sft_weight > 0
    return DPOConfig(
        **arguments,
        loss_type=["sigmoid", "sft"] if with_sft else ["sigmoid"],
        loss_weights=[1.0, config.sft_weight] if with_sft else [1.0],
        beta=config.beta,
    )


#: Trains an adapter on preference pairs, rehearsing the designer's examples.
run = partial(train_on_pairs, build)
