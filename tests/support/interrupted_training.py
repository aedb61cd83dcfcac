"""A small training to interrupt. Run as a script, it waits at a step until it is killed.

python -m tests.support.interrupted_training dpo tiny.gguf BASE_DIR PARENT OUT CHECKPOINTS 8
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from npc_server.engine.vocab import Vocab
from tests.support.rows import pairs, thumbs
from trainer.lora import StartingPoint
from trainer.methods import dpo, kto
from trainer.progress import OnProgress, Progress, RunIO, RunResult
from trainer.settings import LoraShape, Schedule

LORA = LoraShape(rank=4, alpha=8)
SCHEDULE = Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=4)


def run(
    method: str,
    start: StartingPoint,
    out: Path,
    on_progress: OnProgress,
    checkpoints: Path | None = None,
    patience: int = 0,
) -> RunResult:
    """Two epochs of five steps; a checkpoint at every step."""
    io = RunIO(on_progress, checkpoints, checkpoint_every_s=0)
    if method == "dpo":
        schedule = replace(SCHEDULE, micro_batch_rows=2, patience=patience)
        rows = pairs(20, start.tokenizer)
        return dpo.run(dpo.Config(LORA, schedule), rows, (), start, out, io)
    labels = thumbs(10, 10, start.tokenizer)
    schedule = replace(SCHEDULE, patience=patience)
    return kto.run(kto.Config(LORA, schedule), labels, (), start, out, io)


def wait_at(step: int) -> OnProgress:
    """Print a line at `step`, and wait there for ever."""

    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            print("there", flush=True)
            signal.pause()

    return on_progress


if __name__ == "__main__":
    os.sched_getaffinity = lambda _: {0}  # as in the tests
    method, gguf, base_dir, parent, out, checkpoints, step = sys.argv[1:]
    start = StartingPoint(Path(base_dir), Vocab(Path(gguf)), Path(parent))
    run(method, start, Path(out), wait_at(int(step)), Path(checkpoints))
