"""How far from the base a training has led, looked at now and then while it runs.

The curve tells where the last steps still taught and where they only wandered off. A look comes
before a step and changes nothing, so the adapter is the same with and without it.
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
from trainer.divergence import divergence, next_chances, plain_text, windows_of

BASE_KL = "base_kl"  # its name in the log
LOOKS = 8  # about so many in a training, a forward pass each
MOST_TOKENS = 128


class Wandering(TrainerCallback):
    """Logs the divergence of an adapter's voice from its base before every so many steps."""

    def __init__(self, trainer: Trainer, policy: PeftModel, tokenizer: Tokenizer) -> None:
        self._trainer, self._policy = trainer, policy
        self._window = windows_of(plain_text(), tokenizer)[0][:MOST_TOKENS]
        self._base: Tensor | None = None

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Look when it is time to; the log's step is that of the last update."""
        if is_due(state.global_step, state.max_steps):
            self._trainer.log({BASE_KL: self._nats_a_token()})

    def _nats_a_token(self) -> float:
        with _without_dropout(self._policy):
            if self._base is None:
                with self._policy.disable_adapter():
                    self._base = next_chances(self._policy, self._window)
            own = next_chances(self._policy, self._window)
        return divergence(own, self._base) / len(self._window)


def is_due(done_steps: int, total_steps: int) -> bool:
    """Whether to look after so many steps: at first, then evenly, and before the last one."""
    every = max(1, total_steps // LOOKS)
    return done_steps % every == 0 or done_steps == total_steps - 1


@contextmanager
def _without_dropout(policy: PeftModel) -> Iterator[None]:
    """As it will be served, though not out of training: bitsandbytes would pack a base anew then.

    On a CPU its four bits get another order, for good.
    """
    before = [(module, module.training) for module in policy.modules()]
    for module, _ in before:
        module.training = not isinstance(module, nn.Dropout)
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
