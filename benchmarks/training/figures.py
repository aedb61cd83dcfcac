"""The figures to reach."""

from __future__ import annotations

from benchmarks.marks import Mark

MARKS = (
    Mark("dpo_speedup", "pairs/s of DPO: ours / stock TRL, the same loss curve", 1.5),
    Mark("dpo_memory", "peak memory of DPO: ours / stock TRL", None, 0.8),
    Mark("dpo_loss_difference", "largest difference of the two in a step's loss", None, 0.02),
    Mark("dpo_pairs_per_s", "pairs/s of DPO, ours"),
    Mark("serving_kept", "tok/s of 4 dialogues: beside a training / alone", 0.9),
    Mark("night_seconds", "seconds of a night of 3 characters, some 100 pairs each"),
)
