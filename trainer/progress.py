"""What a training reports while it runs, and its result. Imports no model library."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer.held import Held


@dataclass(frozen=True)
class Progress:
    """How far a stage has come."""

    step: int
    total_steps: int
    seconds_left: float  # estimated from the steps so far
    loss: float | None = None  # None where nothing is being minimised


OnProgress = Callable[[Progress], None]
#: Called with the stage's name and its progress.
Tell = Callable[[str, Progress], None]


class Counter:
    """Turns finished steps of equal length into progress."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._done, self._total, self._on_progress = 0, total, on_progress
        self._started_at = time.monotonic()

    def __call__(self, steps: int = 1) -> None:
        """Count `steps` more as finished."""
        self._done += steps
        step_s = (time.monotonic() - self._started_at) / self._done
        left_s = step_s * (self._total - self._done)
        self._on_progress(Progress(self._done, self._total, left_s))


@dataclass(frozen=True)
class RunIO:
    """Where a training keeps its files, and whom it tells of its progress."""

    on_progress: OnProgress
    checkpoints: Path | None = None  # a folder that outlives a crash; None = no resuming
    checkpoint_every_s: float = 30.0  # the most a crash may cost; saving takes some 0.3 s at 135M
    trackers: tuple[str, ...] = ()  # by transformers' names: "tensorboard", "wandb"
    tracked: Path | None = None  # where trackers write; None = the working directory


@dataclass(frozen=True)
class StepMetrics:
    """Metrics of one optimizer step, from before it changed the weights."""

    step: int
    loss: float
    margin: float | None  # mean reward of chosen minus rejected; None when a batch had one kind
    accuracy: float | None  # share of pairs whose chosen reply had the higher reward; None in KTO
    kl: float | None = None  # nats from the reference; None where it is not measured
    grad_norm: float | None = None  # before it is clipped
    learning_rate: float | None = None
    base_kl: float | None = (
        None  # nats per token from the bare base; None where it was not measured
    )


@dataclass(frozen=True)
class Evaluation:
    """The loss on the development rows after a step."""

    step: int
    loss: float


@dataclass(frozen=True)
class RunResult:
    """A finished training.

    `adapter` holds adapter_config.json and adapter_model.safetensors; where all weights were
    trained, it is the new GGUF.
    """

    adapter: Path
    rows: int  # of players, trained on
    refused_too_long: int  # rows beyond max_tokens, not trained on
    steps: int
    train_s: float
    history: tuple[StepMetrics, ...]  # of every step, also of those before an interruption
    development_rows: int = 0  # of players, set aside to stop early by
    evaluations: tuple[Evaluation, ...] = ()
    kept_step: int = 0  # the step whose weights the adapter holds
    resumed_at_step: int = 0  # step of the checkpoint that was resumed; 0 = from the beginning
    held: Held | None = None  # by what, and how; None = of a release that did not record it
