"""An adapter trained on players' edits and merged into the base: a new base for a night's memory.

    start = StartingPoint(ensure_base(served, cache), Vocab(served), adapter=None)
    task = TrainingTask(mix(snapshots), examples, served, start, out / "own.gguf", RunIO(print))
    run(sft.Config(), task)

Its low rank holds it near the base. The file has 16 bits per weight.
"""

from trainer.held import Device
from trainer.lora import load_voice
from trainer.methods import sft
from trainer.own_base.base_gguf import Precision, write_base
from trainer.own_base.training_task import TrainingTask
from trainer.progress import RunResult


def run(config: sft.Config, task: TrainingTask) -> RunResult:
    """Train an adapter, and write `task.served` with it merged in as the GGUF `task.out`.

    The adapter stays beside it. Raises what `sft.run` and `write_base` do.
    """
    adapter = task.out.with_name("adapter")
    trained = sft.run(config, task.rows, task.examples, task.start, adapter, task.io)
    model = load_voice(task.start.base_dir, trained.adapter, Device.CPU)  # merged, in float32
    write_base(model, task.served, task.out, Precision.F16)
    return trained
