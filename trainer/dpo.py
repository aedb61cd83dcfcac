"""Preference pairs into an adapter: DPO (Rafailov 2023) with a supervised term on the chosen reply.

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), snapshot.train_pairs, examples, start, out, print)

Loss: -log sigmoid(beta * margin) + sft_weight * cross-entropy of the chosen reply. The defaults
are what moved a 135M character in two minutes on two cores: an edited reply is far from anything
the model would say, and the supervised term teaches it at once, where the margin alone mostly
pushes the old reply away and ends in replies that are too short. Small batches and a high rate
matter: a few dozen pairs are a night's data, and a taste takes some twenty steps to settle. The
designer's examples are rehearsed as pairs of equal sides: their margin is zero and stays so. Left
out of DPO's family: label smoothing (TRL ignores it for this loss) and a reference that moves.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel, set_seed
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from feedback_store.selection import Pair
from trainer.datasets import (
    Fitting,
    PairIds,
    Spoken,
    fitting,
    pair_dataset,
    pair_ids,
    rehearsed_pair,
)
from trainer.forward import install
from trainer.lora import StartingPoint, load_policy, save_adapter
from trainer.progress import Desk, RunResult
from trainer.rehearsal import beside
from trainer.settings import LoraShape, Memory, Schedule, require
from trainer.training import Watch, common_arguments, train, use_all_cores


@dataclass(frozen=True)
class Config:
    """How to train on pairs."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=Schedule)
    memory: Memory = field(default_factory=Memory)
    beta: float = 0.1  # higher stays closer to the reference
    sft_weight: float = 4.0  # 0 = preference alone, which ends in replies that are too short

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require(0 < self.beta <= 10, "beta", self.beta, "above 0 and at most 10")
        require(0 <= self.sft_weight <= 10, "sft_weight", self.sft_weight, "between 0 and 10")


class ReadyPairsTrainer(DPOTrainer):
    """TRL's trainer on ids that are final: see `trainer.datasets`."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


def run(
    config: Config,
    rows: Sequence[Pair],
    examples: Sequence[Spoken],
    start: StartingPoint,
    out_dir: Path,
    desk: Desk,
) -> RunResult:
    """Train an adapter on `rows`, rehearsing `examples`; write its two files into `out_dir`.

    Raises RowsError, AdapterError, BaseModelError before training, TrainingError during it.
    """
    ready = fitting((pair_ids(row, start.tokenizer) for row in rows), config.schedule.max_tokens)
    learned = (*ready.rows, *_rehearsed(config, examples, len(ready.rows)))
    use_all_cores()
    set_seed(config.schedule.seed)
    policy = load_policy(start.base_dir, start.adapter, config.lora)
    watch = Watch(desk.on_progress)
    with tempfile.TemporaryDirectory() as scratch:
        train_s = train(build(config, learned, policy, start.base_dir, Path(scratch)), watch)
    save_adapter(policy, start.base_dir, out_dir)
    return _result(out_dir, ready, watch, train_s)


def _rehearsed(config: Config, examples: Sequence[Spoken], rows: int) -> list[PairIds]:
    if config.sft_weight == 0:
        return []  # equal sides would teach nothing
    schedule = config.schedule
    return [
        rehearsed_pair(spoken)
        for spoken in beside(rows, examples, schedule.rehearsed_share, schedule.seed)
    ]


def build(
    config: Config, rows: Sequence[PairIds], policy: PeftModel, base_dir: Path, scratch: Path
) -> ReadyPairsTrainer:
    """The trainer, set up and not started."""
    trainer = ReadyPairsTrainer(
        model=policy,
        args=_arguments(config, scratch),
        train_dataset=pair_dataset(rows),
        processing_class=AutoTokenizer.from_pretrained(base_dir),
    )
    install(cast(PreTrainedModel, policy.get_base_model()))
    return trainer


def _arguments(config: Config, scratch: Path) -> DPOConfig:
    with_sft = config.sft_weight > 0
    return DPOConfig(
        **common_arguments(config.schedule, scratch),
        loss_type=["sigmoid", "sft"] if with_sft else ["sigmoid"],
        loss_weights=[1.0, config.sft_weight] if with_sft else [1.0],
        beta=config.beta,
    )


def _result(out_dir: Path, ready: Fitting[PairIds], watch: Watch, train_s: float) -> RunResult:
    return RunResult(
        adapter=out_dir,
        rows=len(ready.rows),
        refused_too_long=ready.refused_too_long,
        steps=len(watch.history),
        train_s=train_s,
        history=tuple(watch.history),
    )
