"""Logs a training's distance from the base while it runs, at evenly spaced steps.

The curve shows whether the last steps still lowered the loss or only led away from the base. It is
measured before a step and changes nothing, so the adapter is the same with and without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft import PeftModel
from torch import Tensor, nn
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from personas.render import Tokenizer
from trainer.divergence import kl_divergence, next_log_probs, plain_text, token_windows

BASE_KL = "base_kl"  # its name in the log
MEASUREMENTS = 8  # about as many per training, a forward pass each
MOST_TOKENS = 128


class DistanceLog(TrainerCallback):
    """Logs the divergence of an adapter's voice from its base, in nats per token."""

    def __init__(self, trainer: Trainer, policy: PeftModel, tokenizer: Tokenizer) -> None:
        self._trainer, self._policy = trainer, policy
        self._window = token_windows(plain_text(), tokenizer)[0][:MOST_TOKENS]
        self._base: Tensor | None = None

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Measure when it is due; the log's step is that of the last update."""
        if is_due(state.global_step, state.max_steps):
            self._trainer.log({BASE_KL: self._nats_per_token()})

    def _nats_per_token(self) -> float:
        with _without_dropout(self._policy):
            if self._base is None:
                with self._policy.disable_adapter():
                    self._base = next_log_probs(self._policy, self._window)
            own = next_log_probs(self._policy, self._window)
        return kl_divergence(own, self._base) / len(self._window)


def is_due(done_steps: int, total_steps: int) -> bool:
    """Whether to measure after `done_steps`: at first, then evenly, and before the last one."""
    every = max(1, total_steps // MEASUREMENTS)
    return done_steps % every == 0 or done_steps == total_steps - 1


@contextmanager
def _without_dropout(policy: PeftModel) -> Iterator[None]:
    """Switch dropout off, but not the training mode: bitsandbytes would then repack a 4-bit base.

    On a CPU repacking changes the order of its four bits for good.
    """
    before = [(module, module.training) for module in policy.modules()]
    for module, _ in before:
        module.training = not isinstance(module, nn.Dropout)
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
