"""All weights of a small base trained on players' edits: a new base instead of an adapter.

    start = StartingPoint(ensure_base(served, cache), Vocab(served), adapter=None)
    task = TrainingTask(mix(snapshots), examples, served, start, out / "own.gguf", RunIO(print))
    run(Config(), task)

Learns what `sft` learns, mixed the same way, by the same loss. An adapter is one character and
weighs a few megabytes; this changes every character at once and leaves a file as large as the
base at 32 or 16 bits, which the server can requantize. Adapters belong to the base they were
trained on, so under a new one every character starts again. Memory is that of four copies of the
model at 32 bits: its weights, their gradients, and two moments of the optimizer.
"""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from transformers import set_seed
from trl.trainer.sft_trainer import SFTTrainer

from trainer import trackers
from trainer.errors import AdapterError
from trainer.forward import install
from trainer.hardware import find_hardware
from trainer.held import Held, Weights
from trainer.lora import load_base, model_size
from trainer.memory_plan import Wish, plan
from trainer.methods import sft
from trainer.own_base.base_gguf import Precision, require_writable, write_base
from trainer.own_base.training_task import TrainingTask
from trainer.progress import RunResult
from trainer.rows.datasets import Lesson
from trainer.settings import Memory, Schedule, require, require_from_base
from trainer.training import Arguments, fingerprint, train_and_save, use_all_cores

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config:
    """How to train all weights."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(learning_rate=2e-5, continued_rate=1.0)
    )
    memory: Memory = field(default_factory=Memory)
    replay_share: float = 0.2  # of all rows, earlier replies that players liked
    general_share: float = 0.05  # of all rows, chat without a persona
    precision: Precision = Precision.F32

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        base = self.memory.base
        able, rule = (Weights.AUTO, Weights.FLOAT32), "float32 or auto: coarser weights stay frozen"
        require(base in able, "base", base, rule)
        require_from_base(self.schedule)
        sft.require_shares(self)


def run(config: Config, task: TrainingTask) -> RunResult:
    """Train all weights of `task.served`, and write them as the GGUF `task.out`.

    Raises RowsError, AdapterError, BaseModelError, ConfigError and MissingLibraryError before
    training, TrainingError during it, and BaseModelError when `task.out` cannot be written.
    """
    start = task.start
    if start.adapter is not None:
        raise AdapterError(f"all weights are trained without an adapter, not from {start.adapter}")
    require_writable(task.served)
    trackers.check(task.io.trackers)
    mixed = sft.lesson_of(config, task.rows, task.examples, start.tokenizer)
    use_all_cores()
    set_seed(config.schedule.seed)
    held = plan_memory(config, mixed, start.base_dir)
    model = load_base(start.base_dir, held.weights, held.device)

    def make_trainer(arguments: Arguments) -> SFTTrainer:
        trainer = sft.build(mixed, model, start.base_dir, arguments)
        install(model)
        return trainer

    def save() -> Path:
        model.cpu()
        write_base(model, task.served, task.out, config.precision)
        return task.out

    inputs = fingerprint(config, mixed, start, held)
    return train_and_save(config, mixed, held, inputs, task.io, make_trainer, save)


def plan_memory(config: Config, mixed: Lesson[sft.LearnedIds], base_dir: Path) -> Held:
    """Decide how to hold the training of all weights in the memory that is free now; log it.

    Raises ConfigError when it fits in no way, or the device that is asked for is not here.
    """
    memory = replace(config.memory, base=Weights.FLOAT32)
    longest = max(row.tokens for row in (*mixed.rows, *mixed.development))
    wish = Wish(memory, None, config.schedule.micro_batch_rows, 1, longest)
    held = plan(model_size(base_dir), wish, find_hardware(memory.device))
    logger.info("training all weights on %s", held.text)
    return held
