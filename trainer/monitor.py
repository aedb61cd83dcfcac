"""Monitors one training: turns TRL's log into progress and history, and stops one that went wrong.

Before the first update policy and reference have the same weights, so every reward must be zero:
exactly on a CPU, nearly on a GPU, which need not add up in the same order twice. Anything else
means that the training compares with the wrong reference. A step is checked before a checkpoint of
it is saved, so no checkpoint holds weights that are not numbers.
"""

import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer import checkpoints
from trainer.distance_log import BASE_KL
from trainer.errors import DivergedError, WrongReferenceError
from trainer.progress import Evaluation, Progress, RunIO, StepMetrics

REWARDS = ("rewards/margins", "rewards/chosen", "rewards/rejected")
#: Of a reward on a GPU, at beta 0.1 a twentieth of a nat in a whole reply; a wrong reference is
#: several nats away.
GPU_ROUNDING = 0.005


class Monitor(TrainerCallback):
    """Reports progress, keeps history, asks for checkpoints, stops a failed or useless training.

    History comes from the log of transformers, which a checkpoint contains.
    """

    def __init__(self, io: RunIO, inputs: str = "", patience: int = 0) -> None:
        """`inputs` names what the training depends on, for the seal of a checkpoint."""
        self.history: list[StepMetrics] = []
        self.evaluations: list[Evaluation] = []
        self.resumed_at_step = 0
        self._base_kl: float | None = None  # of the step that is under way
        self._io, self._inputs, self._patience = io, inputs, patience
        self._started_at = self._saved_at = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock, and restore what was logged before an interruption."""
        self._started_at = self._saved_at = time.monotonic()
        self.resumed_at_step = state.global_step
        for logs in state.log_history:
            self._record(int(logs["step"]), logs)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called once per step with numbers from before its update, and for other reasons too."""
        logs: dict[str, Any] = kwargs["logs"]
        self._record(state.global_step, logs)
        if "loss" not in logs:
            return
        compares = checkpoints.REFERENCE in getattr(kwargs["model"], "peft_config", {})
        check(self.history[-1], logs, compares, 0.0 if args.use_cpu else GPU_ROUNDING)
        self._io.on_progress(self._progress(self.history[-1], state.max_steps))

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Request a checkpoint when one is due."""
        due = time.monotonic() - self._saved_at >= self._io.checkpoint_every_s
        if self._io.checkpoints is not None and due:
            control.should_save = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Stop when the last `patience` evaluations did not improve."""
        losses = [evaluation.loss for evaluation in self.evaluations]
        if 0 < self._patience <= without_gain(losses):
            control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Seal the checkpoint that transformers has written.

        Not when the training stops: it would be resumed with one step too many.
        """
        if control.should_training_stop:
            return
        assert args.output_dir is not None
        checkpoints.seal(Path(args.output_dir) / f"checkpoint-{state.global_step}", self._inputs)
        self._saved_at = time.monotonic()

    def _record(self, step: int, logs: dict[str, Any]) -> None:
        self._base_kl = logs.get(BASE_KL, self._base_kl)
        if "loss" in logs:
            self.history.append(_step_metrics(step, logs, self._base_kl))
            self._base_kl = None
        if "eval_loss" in logs:
            self.evaluations.append(Evaluation(step, float(logs["eval_loss"])))

    def _progress(self, metrics: StepMetrics, total_steps: int) -> Progress:
        steps = metrics.step - self.resumed_at_step
        step_s = (time.monotonic() - self._started_at) / steps
        left_s = step_s * (total_steps - metrics.step)
        return Progress(metrics.step, total_steps, left_s, metrics.loss)


def without_gain(losses: list[float]) -> int:
    """Count the evaluations after the best one."""
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def check(
    metrics: StepMetrics, logs: dict[str, Any], compares: bool, rounding: float = 0.0
) -> None:
    """Raise an error if a step is wrong; `compares` tells whether there is a reference.

    `rounding` is how far from zero the first rewards may be.
    """
    gradient = float(logs.get("grad_norm", 0.0))
    if not math.isfinite(metrics.loss):
        raise DivergedError(f"the loss became {metrics.loss} at step {metrics.step}")
    if not math.isfinite(gradient):
        raise DivergedError(f"the gradient became {gradient} at step {metrics.step}")
    rewards = {key: float(logs[key]) for key in REWARDS if key in logs}
    if compares and metrics.step == 1 and any(abs(at) > rounding for at in rewards.values()):
        raise WrongReferenceError(f"policy and reference differ before the first update: {rewards}")


def _step_metrics(step: int, logs: dict[str, Any], base_kl: float | None) -> StepMetrics:
    def number(*keys: str) -> float | None:
        return next((float(logs[key]) for key in keys if key in logs), None)

    return StepMetrics(
        step=step,
        loss=float(logs["loss"]),
        margin=number("rewards/margins", "margin"),  # of a policy, of a reward model
        accuracy=number("rewards/accuracies", "accuracy"),
        kl=number("kl"),
        grad_norm=number("grad_norm"),
        learning_rate=number("learning_rate"),
        base_kl=base_kl,
    )
