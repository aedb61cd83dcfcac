"""The steps every TRL method shares: its arguments, and running it under watch.

The watch turns TRL's log into progress and history, and stops a run that is already wrong: before
the first update policy and reference are the same weights, so every reward must be exactly zero.
Anything else means the run measures itself against the wrong voice.
"""

import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from trainer.errors import DivergedError, WrongReferenceError
from trainer.progress import OnProgress, Progress, StepMetrics
from trainer.settings import Schedule

REWARDS = ("rewards/margins", "rewards/chosen", "rewards/rejected")


def common_arguments(schedule: Schedule, scratch: Path) -> dict[str, Any]:
    """TRL arguments that do not depend on the method. `scratch` stays empty."""
    on_cpu = not torch.cuda.is_available()
    return {
        "output_dir": str(scratch),
        "learning_rate": schedule.learning_rate,
        "num_train_epochs": schedule.epochs,
        "per_device_train_batch_size": schedule.micro_batch_rows,
        "gradient_accumulation_steps": schedule.batch_rows // schedule.micro_batch_rows,
        "warmup_steps": schedule.warmup_share,  # below 1 it is a share
        "max_length": None,  # rows are within bounds already, and cutting would be silent
        "seed": schedule.seed,
        "use_cpu": on_cpu,
        "bf16": not on_cpu,  # slower than float32 on the CPUs measured
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def use_all_cores() -> None:
    """Let torch compute on every core this process may use."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))


class Watch(TrainerCallback):
    """Follows one run: progress out, history kept, wrong runs stopped."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.history: list[StepMetrics] = []
        self._on_progress = on_progress
        self._started_at = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock."""
        self._started_at = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called once a step, with numbers from before its update, and once at the end."""
        logs: dict[str, Any] = kwargs["logs"]
        if "loss" not in logs:
            return
        metrics = _step_metrics(state.global_step, logs)
        _check(metrics, logs)
        self.history.append(metrics)
        self._on_progress(self._progress(metrics, state.max_steps))

    def _progress(self, metrics: StepMetrics, total_steps: int) -> Progress:
        a_step_s = (time.monotonic() - self._started_at) / metrics.step
        left_s = a_step_s * (total_steps - metrics.step)
        return Progress(metrics.step, total_steps, left_s, metrics.loss)


def train(trainer: Trainer, watch: Watch) -> float:
    """Run to the end; the seconds it took. Raises WrongReferenceError and DivergedError."""
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watch)
    started_at = time.monotonic()
    trainer.train()
    return time.monotonic() - started_at


def _step_metrics(step: int, logs: dict[str, Any]) -> StepMetrics:
    def number(key: str) -> float | None:
        return float(logs[key]) if key in logs else None

    return StepMetrics(
        step=step,
        loss=float(logs["loss"]),
        margin=number("rewards/margins"),
        accuracy=number("rewards/accuracies"),
    )


def _check(metrics: StepMetrics, logs: dict[str, Any]) -> None:
    if not math.isfinite(metrics.loss):
        raise DivergedError(f"the loss became {metrics.loss} at step {metrics.step}")
    rewards = {key: float(logs[key]) for key in REWARDS if key in logs}
    if metrics.step == 1 and any(rewards.values()):
        raise WrongReferenceError(f"policy and reference differ before the first update: {rewards}")
