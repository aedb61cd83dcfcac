"""What a training tells while it runs, and what it leaves behind: plain data, no model library."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """How far a long step is."""

    step: int
    total_steps: int
    seconds_left: float  # judged from the steps so far
    loss: float | None = None  # None where nothing is being minimised


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Desk:
    """Where one training works, and who hears of it."""

    on_progress: OnProgress
    checkpoints: Path | None = None  # a folder that outlives a crash; None = nothing is resumed
    trackers: tuple[str, ...] = ()  # by transformers' names, such as "tensorboard"


@dataclass(frozen=True)
class StepMetrics:
    """What one optimizer step saw, before it changed the weights."""

    step: int
    loss: float
    margin: float | None  # mean reward of chosen minus rejected; None when a batch had one kind
    accuracy: float | None  # share of pairs whose chosen reply had the higher reward; None in KTO


@dataclass(frozen=True)
class RunResult:
    """A finished training. `adapter` holds adapter_config.json and adapter_model.safetensors."""

    adapter: Path
    rows: int
    refused_too_long: int  # rows beyond max_tokens, not trained on
    steps: int
    train_s: float
    history: tuple[StepMetrics, ...]
