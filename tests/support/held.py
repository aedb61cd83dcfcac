"""How tests hold a training in memory, where the plan is not what they are about."""

from trainer.held import Device, Held, Optimizer, Weights
from trainer.memory import ModelSize

IN_FLOAT32 = Held(Device.CPU, Weights.FLOAT32, False, Optimizer.ADAMW, False, rows_at_once=4)

#: The figures of Llama 3.1 8B.
LLAMA_8B = ModelSize(
    weights=32 * 218_103_808 + 2 * 128_256 * 4096,
    linears=(
        *[(4096, 4096), (4096, 1024), (4096, 1024), (4096, 4096)] * 32,
        *[(4096, 14336), (4096, 14336), (14336, 4096)] * 32,
    ),
    layers=32,
    width=4096,
    vocabulary=128_256,
)
