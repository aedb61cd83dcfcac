"""How far adapters have moved a model's language: on a general text that never changes.

KL divergence from the base is the mean over all positions of how much more than the voice itself
the base would be surprised, in nats, by what the voice would say next; perplexity tells how well
the voice predicts the text itself.
The text (`general_text.txt`) is plain prose written for this, read in windows; it is not trained
on. Voices run one after the other. The base's chances are kept meanwhile: four bytes for every
position and word of the vocabulary, 250 MB for the embedded base.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from personas.render import Tokenizer
from trainer.divergence import kl_divergence, next_log_probs, token_windows
from trainer.gate import Drift
from trainer.lora import load_voice
from trainer.progress import Counter, OnProgress
from trainer.training import use_all_cores


@dataclass(frozen=True)
class Distance:
    """One voice's part."""

    kl: float  # nats a token
    perplexity: float


def measure_drift(
    base_dir: Path,
    incumbent: Path | None,
    candidate: Path,
    tokenizer: Tokenizer,
    on_progress: OnProgress,
) -> Drift:
    """Distances of both voices. Raises BaseModelError and AdapterError."""
    use_all_cores()
    windows = general_windows(tokenizer)
    voices = 2 if incumbent is None else 3
    counter = Counter(voices * len(windows), on_progress)
    base = load_voice(base_dir, None)
    expected = [_counted(next_log_probs(base, window), counter) for window in windows]
    unmoved = Distance(0.0, _perplexity(sum(map(_surprise, expected, windows)), windows))
    del base
    old = (
        unmoved if incumbent is None else _distance(base_dir, incumbent, windows, expected, counter)
    )
    new = _distance(base_dir, candidate, windows, expected, counter)
    tokens = sum(map(len, windows))
    return Drift(tokens, old.kl, new.kl, unmoved.perplexity, old.perplexity, new.perplexity)


def text_perplexity(model: PreTrainedModel, tokenizer: Tokenizer) -> float:
    """Of a model on the frozen text."""
    windows = general_windows(tokenizer)
    surprise = sum(_surprise(next_log_probs(model, window), window) for window in windows)
    return _perplexity(surprise, windows)


def general_text() -> str:
    """The frozen text."""
    return (resources.files("trainer.examination") / "general_text.txt").read_text("utf-8")


def general_windows(tokenizer: Tokenizer) -> list[tuple[int, ...]]:
    """The frozen text as ids, in portions of at least two."""
    return token_windows(general_text(), tokenizer)


def _counted(chances: Tensor, counter: Counter) -> Tensor:
    counter()
    return chances


def _distance(
    base_dir: Path,
    adapter: Path,
    windows: Sequence[Sequence[int]],
    expected: Sequence[Tensor],
    counter: Counter,
) -> Distance:
    voice = load_voice(base_dir, adapter)
    nats = surprise = 0.0
    for window, base in zip(windows, expected, strict=True):
        own = _counted(next_log_probs(voice, window), counter)
        nats += kl_divergence(own, base)
        surprise += _surprise(own, window)
    return Distance(nats / sum(map(len, windows)), _perplexity(surprise, windows))


def _surprise(chances: Tensor, window: Sequence[int]) -> float:
    """Nats that the window's tokens cost after its first one."""
    said = torch.tensor(window)[1:, None]
    return -float(chances[:-1].gather(1, said).sum())


def _perplexity(surprise: float, windows: Sequence[Sequence[int]]) -> float:
    return math.exp(surprise / sum(len(window) - 1 for window in windows))
