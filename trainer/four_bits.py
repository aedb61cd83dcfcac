"""What four bits cost: how far a base in NF4 is from the dequantised one that is served.

An adapter that is trained beside NF4 weights learns to correct their rounding, too, which the
served base does not have. How much that can be is one number per base: the divergence of the next
token's probabilities over plain prose. The gate judges the served voice all the same; the number
says beforehand whether to expect trouble. It is kept beside the comparison with the served base, so
it is paid once per base and device.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from personas.render import Tokenizer
from trainer.divergence import kl_divergence, next_log_probs, plain_text, token_windows
from trainer.held import Held, Weights
from trainer.lora import load_base
from trainer.records.entries import Rounding

MOST_WINDOWS = 2  # of 256 tokens; the exact base reads them on the CPU


def ensure_rounding(base_dir: Path, tokenizer: Tokenizer, held: Held) -> Rounding:
    """Measure what NF4 changes in this base, unless that is known. Raises BaseModelError."""
    name = f"{base_dir.name}-nf4-{held.device}.json"
    record = base_dir.parent.parent / "compared" / name
    found = _read(record)
    if found is None:
        found = measure_rounding(base_dir, tokenizer, held)
        record.parent.mkdir(parents=True, exist_ok=True)
        beside = record.with_suffix(".part")
        beside.write_text(json.dumps(asdict(found)))
        beside.replace(record)
    return found


def measure_rounding(base_dir: Path, tokenizer: Tokenizer, held: Held) -> Rounding:
    """Read plain prose with the exact base, then with NF4 as training holds it."""
    windows = token_windows(plain_text(), tokenizer)[:MOST_WINDOWS]
    exact = _readings(base_dir, Weights.FLOAT32, windows)
    coarse = _readings(base_dir, Weights.NF4, windows, held)
    return rounding(coarse, exact)


def rounding(coarse: Sequence[Tensor], exact: Sequence[Tensor]) -> Rounding:
    """What changed between log-probabilities (position, vocabulary) of the same windows."""
    pairs = list(zip(coarse, exact, strict=True))
    tokens = sum(map(len, exact))
    nats = sum(kl_divergence(own, base) for own, base in pairs)
    same = sum(int((own.argmax(-1) == base.argmax(-1)).sum()) for own, base in pairs)
    return Rounding(nats / tokens, same / tokens)


def _readings(
    base_dir: Path, weights: Weights, windows: Sequence[Sequence[int]], held: Held | None = None
) -> list[Tensor]:
    if held is None:
        model = load_base(base_dir, weights)
    else:
        model = load_base(base_dir, weights, held.device, held.in_bfloat16)
    model.train()  # on a CPU bitsandbytes repacks for scoring, which not every width allows
    return [next_log_probs(model, window).cpu() for window in windows]


def _read(record: Path) -> Rounding | None:
    try:
        return Rounding(**json.loads(record.read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # none, or of another release
        return None
