"""What every part is given: where it runs, how large its models are, and until when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import parts
from benchmarks.gpu.random_base import Width
from trainer.held import Device


@dataclass(frozen=True)
class Extent:
    """How much is measured, and on what."""

    device: Device  # not AUTO
    has_bfloat16: bool
    small: Width  # trained dense
    large: Width  # trained in four bits
    pairs: int  # of the small model's trainings
    large_pairs: int
    rounds: int  # of each side, alternating
    cards_gib: tuple[float, ...]  # sizes of GPUs to pretend
    gguf: Path | None  # a served base; None = there is none here
    ends_at: float  # on the clock of time.monotonic

    @property
    def seconds_left(self) -> float:
        """Of the whole run."""
        return self.ends_at - time.monotonic()


Workspace = parts.Workspace[Extent]

SMOLLM_135M = Width(
    hidden=576, inner=1536, layers=30, heads=9, kv_heads=3, vocabulary=49152, tied=True
)
LLAMA_8B = Width(
    hidden=4096, inner=14336, layers=32, heads=32, kv_heads=8, vocabulary=128_256, tied=False
)
TINY = Width(hidden=64, inner=128, layers=2, heads=4, kv_heads=2, vocabulary=512, tied=True)
TINY_UNTIED = Width(
    hidden=128, inner=256, layers=3, heads=4, kv_heads=2, vocabulary=1024, tied=False
)
