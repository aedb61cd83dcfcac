"""The settings that methods share, checked when they are made.

A method's own `Config` has these beside its own fields, and refuses those that it would ignore.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from trainer.errors import ConfigError
from trainer.held import Device, Optimizer, Weights


@dataclass(frozen=True)
class LoraShape:
    """How large an adapter is, and which layers it adapts."""

    rank: int = 16
    alpha: int = 32  # the update is scaled by alpha / rank
    dropout: float = 0.0  # share of the adapter's inputs that a step zeroes
    targets: tuple[str, ...] = ()  # linear layers, such as "q_proj"; () = all of the model body

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require(1 <= self.rank <= 256, "rank", self.rank, "between 1 and 256")
        require(self.alpha >= 1, "alpha", self.alpha, "at least 1")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")


@dataclass(frozen=True)
class Memory:
    """Where a training computes, and what it may trade for less memory.

    The defaults trade nothing as long as the longest rows fit: see `trainer.memory_plan`.
    """

    base: Weights = Weights.AUTO
    optimizer: Optimizer = Optimizer.AUTO
    # Activations are computed again for the backward pass. False = only where they do not fit.
    gradient_checkpointing: bool = False
    device: Device = Device.AUTO


@dataclass(frozen=True)
class Schedule:
    """How long a method trains and in what batches. The learning rate falls linearly to zero."""

    learning_rate: float = 1e-3
    # Multiplies the rate when an adapter is continued: it knows most rows already, and at the
    # full rate two nights led 0.29 nats per token away from the base.
    continued_rate: float = 0.1
    epochs: int = 1
    min_steps: int = 0  # few rows are repeated, the last time in part, for at least this many
    batch_rows: int = 4  # rows per optimizer step
    micro_batch_rows: int = 4  # rows in memory at once where they fit; divides batch_rows
    warmup_share: float = 0.1  # of all steps, with a rising learning rate
    weight_decay: float = 0.0  # share of the trained weights per step, times the learning rate
    # Evaluations without gain until training stops and returns to the best one; 0 = never. There
    # are ten per training, on a tenth of the rows, which are then not trained on.
    patience: int = 0
    rehearsed_share: float = 0.3  # share of the designer's examples in all rows; 0 = none
    max_tokens: int = 1024  # of prompt and reply together; longer rows are refused and counted
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        rate, share = self.learning_rate, self.warmup_share
        require(0 < rate <= 0.01, "learning_rate", rate, "above 0 and at most 0.01")
        continued = self.continued_rate
        require(0 < continued <= 1, "continued_rate", continued, "above 0 and at most 1")
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        require(self.min_steps >= 0, "min_steps", self.min_steps, "at least 0")
        require(self.micro_batch_rows >= 1, "micro_batch_rows", self.micro_batch_rows, "positive")
        require(
            self.batch_rows >= 1 and self.batch_rows % self.micro_batch_rows == 0,
            "batch_rows",
            self.batch_rows,
            f"a multiple of micro_batch_rows ({self.micro_batch_rows})",
        )
        require(0 <= share < 1, "warmup_share", share, "at least 0 and below 1")
        decay, patience, rehearsed = self.weight_decay, self.patience, self.rehearsed_share
        require(0 <= decay <= 1, "weight_decay", decay, "between 0 and 1")
        require(patience >= 0, "patience", patience, "at least 0")
        require(0 <= rehearsed < 1, "rehearsed_share", rehearsed, "at least 0 and below 1")
        require(self.max_tokens >= 16, "max_tokens", self.max_tokens, "at least 16")
        require(self.seed >= 0, "seed", self.seed, "at least 0")

    def rate(self, continued: bool) -> float:
        """The highest learning rate, of a new adapter or a continued one."""
        return self.learning_rate * (self.continued_rate if continued else 1.0)

    def epochs_of(self, rows: int) -> float:
        """How many epochs to train on `rows` rows."""
        steps_per_epoch = -(-rows // self.batch_rows)
        return max(float(self.epochs), self.min_steps / steps_per_epoch)


class TrainingSettings(Protocol):
    """The settings of every training."""

    @property
    def schedule(self) -> Schedule:
        """How long, and in what batches."""

    @property
    def memory(self) -> Memory:
        """The trade-offs for less memory."""


class CommonSettings(TrainingSettings, Protocol):
    """The settings of every adapter's training."""

    @property
    def lora(self) -> LoraShape:
        """The adapter's shape."""


def as_json(settings: Any) -> dict[str, Any]:
    """Settings as JSON reads them back, so that they compare equal to recorded ones."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain


def refuse_dropout(lora: LoraShape) -> None:
    """Raise ConfigError if a method with a reference has dropout: TRL would silently disable it."""
    rule = "0 where a reference is used: with dropout it would differ from the policy at once"
    require(lora.dropout == 0, "dropout", lora.dropout, rule)


def require(holds: bool, name: str, value: object, rule: str) -> None:
    """Raise ConfigError unless a setting's rule holds."""
    if not holds:
        raise ConfigError(f"{name} is {value}; it must be {rule}")


def require_from_base(schedule: Schedule) -> None:
    """Raise ConfigError for a setting that has no effect where training begins at the base."""
    rate = schedule.continued_rate
    require(rate == 1.0, "continued_rate", rate, "1 here: this training always begins at the base")
