"""DPO as we train it beside stock TRL: speed, memory, and whether it is the same training.

Same weights, pairs, order and settings, in processes that take turns.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from benchmarks.errors import PeerBrokeError
from benchmarks.measures import estimate, ratio
from benchmarks.parts import PartResult
from benchmarks.training.workspace import OURS, STOCK, Workspace

#: Results of one_training, by side.
Trainings = dict[str, list[dict[str, Any]]]


async def run(workspace: Workspace) -> PartResult:
    """Train both sides in turn, one training per round."""
    trainings: Trainings = {OURS: [], STOCK: []}
    for number in range(workspace.extent.rounds):
        for side, of_side in trainings.items():
            done = 2 * number + (side == STOCK)
            workspace.tell(f"DPO, {side}", done, 2 * workspace.extent.rounds)
            of_side.append(await _train(workspace, side))
    return _result(trainings, workspace.extent.pairs)


async def _train(workspace: Workspace, side: str) -> dict[str, Any]:
    options = {"base": workspace.base, "cache": workspace.cache, "pairs": workspace.extent.pairs}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    log = workspace.scratch / f"{side}.log"
    with log.open("w") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.training.one_training", side, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
        printed, _ = await process.communicate()
    if process.returncode != 0:
        raise PeerBrokeError(f"{side} training: {log.read_text()[-500:]}")
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def _result(trainings: Trainings, pairs: int) -> PartResult:
    speed = {side: [pairs / one["seconds"] for one in of] for side, of in trainings.items()}
    peaks = {side: [one["peak_bytes"] / 2**20 for one in of] for side, of in trainings.items()}
    curves = {side: [one["losses"] for one in of] for side, of in trainings.items()}
    apart = [
        max(abs(a - b) for a, b in zip(*both, strict=True))
        for both in zip(curves[OURS], curves[STOCK], strict=True)
    ]
    figures = {
        "dpo_speedup": ratio(speed[OURS], speed[STOCK]),
        "dpo_memory": ratio(peaks[OURS], peaks[STOCK]),
        "dpo_loss_difference": estimate(apart),
        "dpo_pairs_per_s": estimate(speed[OURS]),
    }
    samples = {f"{side}_pairs_per_s": values for side, values in speed.items()}
    samples |= {f"{side}_peak_mib": values for side, values in peaks.items()}
    samples |= {f"{side}_losses": curve[-1] for side, curve in curves.items()}
    return PartResult(figures, samples)
