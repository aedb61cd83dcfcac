"""Keeps a trained adapter near the base: one that went too far is scaled back to the limit.

The divergence from the base grows about with the square of an adapter's scale, so a few
measurements find the largest scale within the limit, as the line search of TRPO does (Schulman
2015, appendix C). Without it a candidate that feedback moved far, or many nights did, would be
refused for its distance, and again the night after. The distance is measured on `plain_text.txt`;
the text that the gate measures drift by is not used here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from trainer.divergence import kl_divergence, next_log_probs, plain_text, token_windows
from trainer.held import Device
from trainer.lora import ADAPTER_WEIGHTS, StartingPoint, load_voice
from trainer.records.entries import Nearness
from trainer.training import use_all_cores

#: Of the distance that the gate allows: the gate measures on another text, which may differ.
SHARE = 0.9
#: Each step aims a little below the limit, so that rounding does not ask for one more.
INSIDE = 0.97
MOST_STEPS = 8  # two or three are usual


def keep_near(
    adapter: Path, start: StartingPoint, max_kl: float, device: Device = Device.AUTO
) -> Nearness:
    """Scale an adapter back, in place, until it is at most `max_kl` nats per token from the base.

    One that is still too far after `MOST_STEPS` stays so: the gate judges it like any other.
    Raises BaseModelError and AdapterError.
    """
    use_all_cores()
    windows = token_windows(plain_text(), start.tokenizer)
    base = load_voice(start.base_dir, None, device)
    expected = [next_log_probs(base, window) for window in windows]
    del base

    def divergence() -> float:
        voice = load_voice(start.base_dir, adapter, device)
        return _mean_divergence(voice, windows, expected)

    scale, trained_kl = 1.0, divergence()
    kl = trained_kl
    for _ in range(MOST_STEPS):
        if kl <= max_kl:
            break
        step = INSIDE * math.sqrt(max_kl / kl)
        _scale(adapter, step)
        scale *= step
        kl = divergence()
    return Nearness(trained_kl, scale)


def _mean_divergence(
    voice: PreTrainedModel, windows: Sequence[Sequence[int]], expected: Sequence[Tensor]
) -> float:
    """Nats per token."""
    nats = sum(
        kl_divergence(next_log_probs(voice, window), base)
        for window, base in zip(windows, expected, strict=True)
    )
    return nats / sum(map(len, windows))


def _scale(adapter: Path, factor: float) -> None:
    """Multiply the update B A by a factor: scaling B alone is enough."""
    file = adapter / ADAPTER_WEIGHTS
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    weights = load_file(file)
    scaled = {
        name: weight * factor if ".lora_B." in name else weight for name, weight in weights.items()
    }
    beside = file.with_suffix(".part")
    save_file(scaled, beside, metadata)
    beside.replace(file)
