"""One training in a process of its own, so that its memory is its own: ours, or stock TRL.

    python -m benchmarks.training.one_training stock --base model.gguf --cache ~/.cache/troupe

Both begin at the same weights and see the same ids in the same order under the same arguments. TRL
as it comes has its own forward and collator. Prints one line per step, and last JSON: seconds, peak
bytes, every step's loss.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from peft import PeftModel
from transformers import AutoTokenizer, set_seed
from trl.trainer.dpo_config import DPOConfig

from benchmarks.memory import peak_bytes
from benchmarks.training.rows import pairs
from benchmarks.training.workspace import CHARACTER, OURS, STOCK
from npc_server.engine.vocab import Vocab
from trainer.base import ensure_base
from trainer.lora import StartingPoint, load_policy
from trainer.methods import dpo
from trainer.monitor import Monitor
from trainer.priority import yield_to_others
from trainer.progress import RunIO
from trainer.rows.datasets import WEIGHT, Lesson, PairIds, pair_dataset
from trainer.training import Arguments, common_arguments, plan_memory, use_all_cores
from trainer.training import train as run


@dataclass(frozen=True)
class TrainingResult:
    """What a training took, and its losses."""

    seconds: float  # of training alone: no loading
    peak_bytes: int  # resident, of the whole process
    losses: tuple[float, ...]  # per step


def train(side: str, base: Path, cache: Path, count: int) -> TrainingResult:
    """Train a new adapter on `count` pairs."""
    once = replace(dpo.Config().schedule, min_steps=0)
    config, vocab = dpo.Config(schedule=once), Vocab(base)
    rows = pairs(CHARACTER, vocab, count)
    start = StartingPoint(ensure_base(base, cache), vocab, None)
    use_all_cores()
    set_seed(config.schedule.seed)
    learned: Lesson[PairIds] = Lesson(rows, (), len(rows), 0)
    held = plan_memory(config, learned, start.base_dir)
    policy = load_policy(start, config.lora, held)
    monitor = Monitor(RunIO(lambda at: print(f"step {at.step} of {at.total_steps}", flush=True)))
    with tempfile.TemporaryDirectory() as folder:
        arguments = common_arguments(config, held, Path(folder), len(rows))
        build = dpo.build if side == OURS else build_stock
        seconds = run(build(config, learned, start.base_dir, policy, arguments), monitor)
    losses = tuple(metrics.loss for metrics in monitor.history)
    return TrainingResult(seconds, peak_bytes(), losses)


def build_stock(
    config: dpo.Config,
    learned: Lesson[PairIds],
    base_dir: Path,
    policy: PeftModel,
    arguments: Arguments,
) -> dpo.DPOTrainerOnIds:
    """TRL's trainer as its documentation sets it up, on ids that are final."""
    return dpo.DPOTrainerOnIds(
        model=policy,
        args=DPOConfig(
            **arguments,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, config.sft_weight],
            beta=config.beta,
        ),
        train_dataset=pair_dataset(learned.rows).remove_columns(WEIGHT),
        processing_class=AutoTokenizer.from_pretrained(base_dir),
    )


def main() -> None:
    """Train once and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=[OURS, STOCK])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--yields", action="store_true", help="yield the cores to other processes")
    asked = parser.parse_args()
    if asked.yields:
        yield_to_others()
    result = train(asked.side, asked.base, asked.cache, asked.pairs)
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
