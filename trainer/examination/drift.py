"""How far adapters have moved a model's language: on a general text that never changes.

KL divergence from the base is the mean over all positions of how much more than the voice itself
the base would be surprised, in nats, by what the voice would say next; perplexity says how well
the voice predicts the text itself.
The text (`general_text.txt`) is plain prose written for this, read in windows; it is not trained
on. Voices run one after the other. The base's probabilities are kept meanwhile: four bytes per
position and word of the vocabulary, 250 MB for the embedded base.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from personas.render import Tokenizer
from trainer.divergence import kl_divergence, next_log_probs, token_windows
from trainer.gate import Drift
from trainer.held import Device
from trainer.lora import load_voice
from trainer.progress import Counter, OnProgress
from trainer.training import use_all_cores


@dataclass(frozen=True)
class Distance:
    """How far one voice is from the base."""

    kl: float  # nats per token
    perplexity: float


def measure_drift(
    base_dir: Path,
    incumbent: Path | None,
    candidate: Path,
    tokenizer: Tokenizer,
    on_progress: OnProgress,
    device: Device = Device.AUTO,
) -> Drift:
    """Measure the distances of both voices. Raises BaseModelError and AdapterError."""
    use_all_cores()
    windows = general_windows(tokenizer)
    voices = 2 if incumbent is None else 3
    counter = Counter(voices * len(windows), on_progress)
    base = load_voice(base_dir, None, device)
    expected = list(_log_probs(base, windows, counter))
    unmoved = Distance(0.0, _perplexity(sum(map(_surprise, expected, windows)), windows))
    del base

    def distance(adapter: Path) -> Distance:
        return _distance(load_voice(base_dir, adapter, device), windows, expected, counter)

    old, new = unmoved if incumbent is None else distance(incumbent), distance(candidate)
    tokens = sum(map(len, windows))
    return Drift(tokens, old.kl, new.kl, unmoved.perplexity, old.perplexity, new.perplexity)


def text_perplexity(model: PreTrainedModel, tokenizer: Tokenizer) -> float:
    """Measure a model's perplexity on the frozen text."""
    windows = general_windows(tokenizer)
    surprise = sum(_surprise(next_log_probs(model, window), window) for window in windows)
    return _perplexity(surprise, windows)


def general_text() -> str:
    """The frozen text."""
    return (resources.files("trainer.examination") / "general_text.txt").read_text("utf-8")


def general_windows(tokenizer: Tokenizer) -> list[tuple[int, ...]]:
    """The frozen text as ids, in windows of at least two."""
    return token_windows(general_text(), tokenizer)


def _log_probs(
    model: PreTrainedModel, windows: Sequence[Sequence[int]], counter: Counter
) -> Iterator[Tensor]:
    for window in windows:
        log_probs = next_log_probs(model, window)
        counter()
        yield log_probs


def _distance(
    voice: PreTrainedModel,
    windows: Sequence[Sequence[int]],
    expected: Sequence[Tensor],
    counter: Counter,
) -> Distance:
    nats = surprise = 0.0
    own_log_probs = _log_probs(voice, windows, counter)
    for window, own, base in zip(windows, own_log_probs, expected, strict=True):
        nats += kl_divergence(own, base)
        surprise += _surprise(own, window)
    return Distance(nats / sum(map(len, windows)), _perplexity(surprise, windows))


def _surprise(log_probs: Tensor, window: Sequence[int]) -> float:
    """Nats that the window's tokens cost after its first one."""
    said = torch.tensor(window, device=log_probs.device)[1:, None]
    return -float(log_probs[:-1].gather(1, said).sum())


def _perplexity(surprise: float, windows: Sequence[Sequence[int]]) -> float:
    return math.exp(surprise / sum(len(window) - 1 for window in windows))
