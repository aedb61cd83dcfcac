"""An adapter trained on players' edits and merged into the base: a new base for a night's memory.

    start = StartingPoint(ensure_base(served, cache), Vocab(served), adapter=None)
    run(sft.Config(), together(snapshots), examples, served, start, out / "own.gguf", RunIO(print))

Its low rank holds it near the base. The file has 16 bits a weight.
"""

from collections.abc import Sequence
from pathlib import Path

from trainer.lora import StartingPoint, load_voice
from trainer.methods import sft
from trainer.own_base.base_gguf import Precision, write_base
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import Spoken
from trainer.rows.replay import Rows


def run(
    config: sft.Config,
    rows: Rows,
    examples: Sequence[Spoken],
    served: Path,
    start: StartingPoint,
    out: Path,
    io: RunIO,
) -> RunResult:
    """Train an adapter on `rows`, and write `served` with it merged in as the GGUF `out`.

    The adapter stays beside it. Raises what `sft.run` and `write_base` do.
    """
    trained = sft.run(config, rows, examples, start, out.with_name("adapter"), io)
    write_base(load_voice(start.base_dir, trained.adapter), served, out, Precision.F16)
    return trained
