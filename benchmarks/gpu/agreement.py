"""Whether training on this device computes what it computes on a CPU.

    python -m benchmarks.gpu.agreement FOLDER --device cuda

Log-probabilities of replies in float32: our forward of shared prompts on the device against the
plain one on the CPU; the base in bfloat16, and in four bits, against the exact one. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from benchmarks.gpu.random_pairs import random_pairs
from trainer.divergence import kl_divergence, next_log_probs
from trainer.forward import IGNORED, label_log_probs
from trainer.hardware import find_hardware
from trainer.held import Device, Weights
from trainer.lora import load_base, model_size
from trainer.rows.datasets import PairIds

ROWS = 4
WINDOW_TOKENS = 128


@dataclass(frozen=True)
class Agreement:
    """How far apart the device and the CPU are."""

    forward: float  # largest difference of a label's log-probability, nats
    bfloat16_kl: float | None  # nats per token; None = the device does not compute with it
    nf4_kl: float


def compare(folder: Path, device: Device) -> Agreement:
    """Read random pairs and a random text on both."""
    pairs = random_pairs(model_size(folder).vocabulary, ROWS)
    window = (*pairs[0].prompt, *pairs[0].rejected)[:WINDOW_TOKENS]
    exact = load_base(folder)
    plain, text = _plain_log_probs(exact, pairs), next_log_probs(exact, window)
    shared = _shared_log_probs(load_base(folder, Weights.FLOAT32, device), pairs)
    half = find_hardware(device).has_bfloat16
    apart = max(
        float((ours - theirs).abs().max()) for ours, theirs in zip(shared, plain, strict=True)
    )
    return Agreement(
        forward=apart,
        bfloat16_kl=_kl(folder, Weights.BFLOAT16, device, window, text) if half else None,
        nf4_kl=_kl(folder, Weights.NF4, device, window, text),
    )


def _kl(
    folder: Path, weights: Weights, device: Device, window: tuple[int, ...], exact: Tensor
) -> float:
    model = load_base(folder, weights, device, in_bfloat16=weights is Weights.BFLOAT16)
    model.train()  # scoring in four bits on a CPU takes other widths
    return kl_divergence(next_log_probs(model, window).cpu(), exact) / len(window)


def _plain_log_probs(model: PreTrainedModel, pairs: tuple[PairIds, ...]) -> list[Tensor]:
    """Of each pair's long reply, row by row."""
    found = []
    for pair in pairs:
        ids = (*pair.prompt, *pair.rejected)
        said = torch.tensor(pair.rejected)[:, None]
        log_probs = next_log_probs(model, ids)[len(pair.prompt) - 1 : -1]
        found.append(log_probs.gather(1, said)[:, 0])
    return found


def _shared_log_probs(model: PreTrainedModel, pairs: tuple[PairIds, ...]) -> list[Tensor]:
    """The same as one batch, whose common beginning runs once."""
    rows = [torch.tensor((*pair.prompt, *pair.rejected)) for pair in pairs]
    labels = [row.clone() for row in rows]
    for label, pair in zip(labels, pairs, strict=True):
        label[: len(pair.prompt)] = IGNORED
    mask = [torch.ones_like(row) for row in rows]
    padded = [
        torch.nn.utils.rnn.pad_sequence(part, batch_first=True, padding_value=filler)
        for part, filler in ((rows, 0), (mask, 0), (labels, IGNORED))
    ]
    with torch.inference_mode():
        found = label_log_probs(model, *(part.to(model.device) for part in padded)).cpu()
    return [
        found[at, len(pair.prompt) - 1 :][: len(pair.rejected)] for at, pair in enumerate(pairs)
    ]


def main() -> None:
    """Compare and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", type=Device, default=Device.CUDA)
    asked = parser.parse_args()
    print(json.dumps(asdict(compare(asked.folder, asked.device))))


if __name__ == "__main__":
    main()
