"""One training, the same for every method: set up, begun or resumed, monitored, saved.

A method decides what is learned and with which of TRL's trainers; everything else is here: also
how it is held in the memory of what computes it. An interrupted training that is started again with
the same rows, settings, parent, base and libraries continues from its last checkpoint and ends in
the same bytes, on a CPU. It begins anew where another device, or much less memory, is there now.
"""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import PrinterCallback, Trainer, set_seed

from trainer import checkpoints, trackers
from trainer.base import file_sha256
from trainer.distance_log import DistanceLog
from trainer.errors import OutOfMemoryError, TrainerError, TrainingError
from trainer.hardware import find_hardware
from trainer.held import Device, Held
from trainer.lora import (
    ADAPTER_WEIGHTS,
    StartingPoint,
    keep_precision,
    load_policy,
    model_size,
    save_adapter,
)
from trainer.memory_plan import Wish, plan, relief
from trainer.monitor import Monitor
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import Lesson, RowT
from trainer.settings import CommonSettings, TrainingSettings

logger = logging.getLogger(__name__)

EVALUATE_EVERY = 0.1  # of all steps, when a schedule has patience
_CPU_IS_FULL = "DefaultCPUAllocator"  # torch has no error of its own for it
LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes")

Arguments = dict[str, Any]
Build = Callable[[PeftModel, Arguments], Trainer]


def train_adapter(
    config: CommonSettings,
    lesson: Lesson[RowT],
    start: StartingPoint,
    out_dir: Path,
    io: RunIO,
    build: Build,
    *,
    speaks: bool = True,
    least_rows: int = 1,
) -> RunResult:
    """Train an adapter from `start` and write its two files into `out_dir`.

    `build` makes TRL's trainer from the policy and the common arguments, and does not start it.
    `speaks`: the adapter is a voice, so its distance from the base is logged. `least_rows`: how few
    may be in memory at once when it is short of room.
    Checkpoints are removed when the adapter is saved. Raises ConfigError, MissingLibraryError,
    AdapterError and BaseModelError before training, TrainingError with its history during it.
    """
    trackers.check(io.trackers)
    use_all_cores()
    set_seed(config.schedule.seed)
    held = plan_memory(config, lesson, start.base_dir, least_rows)
    policy = load_policy(start, config.lora, held)
    rate = config.schedule.rate(continued=start.adapter is not None)

    def make_trainer(arguments: Arguments) -> Trainer:
        with keep_precision(policy):
            trainer = build(policy, {**arguments, "learning_rate": rate})
        if speaks:
            trainer.add_callback(DistanceLog(trainer, policy, start.tokenizer))
        return trainer

    def save() -> Path:
        save_adapter(policy, start.base_dir, out_dir)
        return out_dir

    inputs = fingerprint(config, lesson, start, held)
    try:
        return train_and_save(config, lesson, held, inputs, io, make_trainer, save)
    except OutOfMemoryError as error:
        raise _with_advice(error, relief(held, least_rows)) from error


def _with_advice(error: OutOfMemoryError, setting: str) -> OutOfMemoryError:
    advised = OutOfMemoryError(f"{error}; set {setting} in [training]")
    advised.history = error.history
    return advised


def plan_memory(
    config: CommonSettings, lesson: Lesson[RowT], base_dir: Path, least_rows: int = 1
) -> Held:
    """Decide how to hold a training of these rows in the memory that is free now; log it.

    Raises ConfigError when it fits in no way, or the device that is asked for is not here.
    """
    longest = max(row.tokens for row in (*lesson.rows, *lesson.development))
    rows_at_once = config.schedule.micro_batch_rows
    wish = Wish(config.memory, config.lora, rows_at_once, least_rows, longest)
    held = plan(model_size(base_dir), wish, find_hardware(config.memory.device))
    logger.info("training on %s", held.text)
    return held


def train_and_save(
    config: TrainingSettings,
    lesson: Lesson[RowT],
    held: Held,
    inputs: str,
    io: RunIO,
    make_trainer: Callable[[Arguments], Trainer],
    save: Callable[[], Path],
) -> RunResult:
    """Run the trainer that `make_trainer` makes to its end, then `save`.

    `inputs` names what the training depends on: only its own checkpoints are resumed.
    """
    monitor = Monitor(io, inputs, config.schedule.patience)
    with _checkpoint_folder(io) as folder, trackers.writing_to(io.tracked):
        arguments = common_arguments(config, held, folder, len(lesson.rows), io.trackers)
        trainer = make_trainer(arguments)
        train_s = train(trainer, monitor, checkpoints.resumable(folder, inputs))
        saved = save()
        checkpoints.remove(folder)
    return _result(saved, lesson, held, trainer, monitor, train_s)


def common_arguments(
    config: TrainingSettings,
    held: Held,
    folder: Path,
    rows: int,
    report_to: tuple[str, ...] = (),
) -> Arguments:
    """TRL arguments that do not depend on the method; checkpoints go to `folder`."""
    schedule = config.schedule
    return {
        "output_dir": str(folder),
        "learning_rate": schedule.learning_rate,
        "num_train_epochs": schedule.epochs_of(rows),
        "per_device_train_batch_size": held.rows_at_once,
        "per_device_eval_batch_size": held.rows_at_once,
        "gradient_accumulation_steps": schedule.batch_rows // held.rows_at_once,
        "warmup_steps": schedule.warmup_share,  # below 1 it is a share
        "weight_decay": schedule.weight_decay,
        "max_length": None,  # rows are within the limit already, and TRL cuts in silence
        "remove_unused_columns": False,  # a row's weight is not among TRL's columns
        "seed": schedule.seed,
        "use_cpu": held.device is Device.CPU,
        "bf16": held.in_bfloat16,
        "optim": held.optimizer.value,
        "gradient_checkpointing": held.gradient_checkpointing,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # it would log a loss of NaN as the one before
        "report_to": [*report_to] or "none",
        "disable_tqdm": True,
        "save_total_limit": checkpoints.KEPT,
        **_evaluation(schedule.patience),
    }


def _evaluation(patience: int) -> Arguments:
    if patience == 0:
        return {"save_strategy": "no", "eval_strategy": "no"}  # the monitor asks for checkpoints
    return {
        "eval_strategy": "steps",
        "eval_steps": EVALUATE_EVERY,
        "save_strategy": "steps",
        "save_steps": EVALUATE_EVERY,
        "load_best_model_at_end": True,  # by the evaluations' loss
    }


def use_all_cores() -> None:
    """Let torch compute on every core that this process may use."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))


def fingerprint(
    config: TrainingSettings, lesson: Lesson[RowT], start: StartingPoint, held: Held
) -> str:
    """The sha256 of everything that a training depends on; of the machine, how it holds it."""
    parent = file_sha256(start.adapter / ADAPTER_WEIGHTS) if start.adapter else ""
    method, base = type(config).__module__, start.base_dir.name
    versions = [version(library) for library in LIBRARIES]
    named = (method, config, lesson, parent, base, held, versions)
    return hashlib.sha256(repr(named).encode()).hexdigest()


@contextmanager
def _checkpoint_folder(io: RunIO) -> Iterator[Path]:
    """The folder for checkpoints: the one of `io`, or one that does not outlive the training."""
    if io.checkpoints is not None:
        io.checkpoints.mkdir(parents=True, exist_ok=True)
        yield io.checkpoints
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def train(trainer: Trainer, monitor: Monitor, checkpoint: Path | None = None) -> float:
    """Run to the end, from `checkpoint` if there is one; return the seconds it took.

    Raises WrongReferenceError, DivergedError, OutOfMemoryError, and TrainingError for other
    failures.
    """
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(monitor)
    started_at = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except TrainingError as error:
        error.history = tuple(monitor.history)
        raise
    except TrainerError:
        raise  # by the callback that reports progress
    except (RuntimeError, OSError, SafetensorError) as error:  # out of memory, a full disk
        failed = _failure(error, trainer.state.global_step)
        failed.history = tuple(monitor.history)
        raise failed from error
    return time.monotonic() - started_at


def _failure(error: Exception, step: int) -> TrainingError:
    if isinstance(error, torch.OutOfMemoryError) or _CPU_IS_FULL in str(error):
        needed = str(error).partition("\n")[0].partition(". GPU")[0]  # what follows are totals
        return OutOfMemoryError(f"memory ran out after step {step}: {needed}")
    return TrainingError(f"training stopped after step {step}: {error}")


def _result(
    saved: Path,
    lesson: Lesson[RowT],
    held: Held,
    trainer: Trainer,
    monitor: Monitor,
    train_s: float,
) -> RunResult:
    steps = len(monitor.history)
    return RunResult(
        adapter=saved,
        rows=lesson.feedback_rows,
        refused_too_long=lesson.refused_too_long,
        steps=steps,
        train_s=train_s,
        history=tuple(monitor.history),
        development_rows=len(lesson.development),
        evaluations=tuple(monitor.evaluations),
        kept_step=trainer.state.best_global_step or steps,
        resumed_at_step=monitor.resumed_at_step,
        held=held,
    )
