"""Follows one run: TRL's log becomes progress and history, and a run that is already wrong stops.

Before the first update policy and reference are the same weights, so every reward must be exactly
zero. Anything else means the run measures itself against the wrong voice. A step is checked before
a checkpoint of it is saved, so no checkpoint holds weights that are not numbers.
"""

import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer import checkpoints
from trainer.errors import DivergedError, WrongReferenceError
from trainer.progress import Evaluation, Progress, RunIO, StepMetrics
from trainer.wandering import BASE_KL

REWARDS = ("rewards/margins", "rewards/chosen", "rewards/rejected")


class Watch(TrainerCallback):
    """Progress out, history kept, checkpoints when they are due, wrong runs and vain ones stopped.

    History is what transformers logged: a checkpoint brings it along.
    """

    def __init__(self, io: RunIO, inputs: str = "", patience: int = 0) -> None:
        """`inputs` names what is trained on, for the seal of a checkpoint."""
        self.history: list[StepMetrics] = []
        self.evaluations: list[Evaluation] = []
        self.resumed_at_step = 0
        self._base_kl: float | None = None  # of the step that is under way
        self._io, self._inputs, self._patience = io, inputs, patience
        self._started_at = self._saved_at = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock, and take over what was logged before an interruption."""
        self._started_at = self._saved_at = time.monotonic()
        self.resumed_at_step = state.global_step
        for logs in state.log_history:
            self._record(int(logs["step"]), logs)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called once a step, with numbers from before its update, and for other occasions."""
        logs: dict[str, Any] = kwargs["logs"]
        self._record(state.global_step, logs)
        if "loss" not in logs:
            return
        compares = checkpoints.REFERENCE in getattr(kwargs["model"], "peft_config", {})
        check(self.history[-1], logs, compares)
        self._io.on_progress(self._progress(self.history[-1], state.max_steps))

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask for a checkpoint when one is due."""
        due = time.monotonic() - self._saved_at >= self._io.checkpoint_every_s
        if self._io.checkpoints is not None and due:
            control.should_save = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Stop when evaluations no longer gain."""
        losses = [evaluation.loss for evaluation in self.evaluations]
        if 0 < self._patience <= without_gain(losses):
            control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Called when transformers has written a checkpoint.

        One of a training that stops is not sealed: it would be resumed with a step too many.
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
        a_step_s = (time.monotonic() - self._started_at) / steps
        left_s = a_step_s * (total_steps - metrics.step)
        return Progress(metrics.step, total_steps, left_s, metrics.loss)


def without_gain(losses: list[float]) -> int:
    """How many evaluations came after the best one."""
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def check(metrics: StepMetrics, logs: dict[str, Any], compares: bool) -> None:
    """Raise what is wrong with a step; `compares` with a reference."""
    gradient = float(logs.get("grad_norm", 0.0))
    if not math.isfinite(metrics.loss):
        raise DivergedError(f"the loss became {metrics.loss} at step {metrics.step}")
    if not math.isfinite(gradient):
        raise DivergedError(f"the gradient became {gradient} at step {metrics.step}")
    rewards = {key: float(logs[key]) for key in REWARDS if key in logs}
    if compares and metrics.step == 1 and any(rewards.values()):
        raise WrongReferenceError(f"policy and reference differ before the first update: {rewards}")


def _step_metrics(step: int, logs: dict[str, Any], base_kl: float | None) -> StepMetrics:
    def number(*keys: str) -> float | None:
        return next((float(logs[key]) for key in keys if key in logs), None)

    return StepMetrics(
        step=step,
        loss=float(logs["loss"]),
        margin=number("rewards/margins", "margin"),  # as a policy is told, or a reward model
        accuracy=number("rewards/accuracies", "accuracy"),
        kl=number("kl"),
        grad_norm=number("grad_norm"),
        learning_rate=number("learning_rate"),
        base_kl=base_kl,
    )
