"""How a training is held in memory: by which device, and in which precisions.

`AUTO` is what may be asked for; `Held` is what was decided, in `trainer.memory_plan`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Device(StrEnum):
    """What computes a training, and scores what came of it."""

    AUTO = "auto"
    """The GPU when torch sees one, else the CPU."""
    CPU = "cpu"
    CUDA = "cuda"
    """The first GPU of NVIDIA, or of AMD under ROCm, that CUDA_VISIBLE_DEVICES lets through."""
    MPS = "mps"
    """The GPU of a Mac."""


class Weights(StrEnum):
    """The precision of the frozen base while an adapter is trained on it."""

    AUTO = "auto"
    """On CUDA the first of bfloat16 and nf4 that fits into its memory; elsewhere float32."""
    FLOAT32 = "float32"
    """As it is served, dequantised."""
    BFLOAT16 = "bfloat16"
    """Half the size, and what GPUs multiply fastest; slower than float32 on the CPUs measured."""
    NF4 = "nf4"
    """Four bits per weight with double quantization (QLoRA, Dettmers 2023): an eighth of the size.

    The adapter learns beside weights that are rounded once more than the served ones. It is judged
    and served on the GGUF all the same, so the gate measures what that costs.
    """


class Optimizer(StrEnum):
    """Optimizers, by TRL's names."""

    AUTO = "auto"
    """8 bits beside a base in four bits on CUDA, where memory was short; elsewhere adamw_torch."""
    ADAMW = "adamw_torch"
    PAGED_ADAMW_8BIT = "paged_adamw_8bit"
    """Its state in 8 bits, in memory that a GPU may page out; on a CPU nothing is paged."""


@dataclass(frozen=True)
class Held:
    """A device, precisions, and how much is there at once."""

    device: Device  # not AUTO
    weights: Weights  # not AUTO
    in_bfloat16: bool  # what is multiplied, under autocast; else float32
    optimizer: Optimizer  # not AUTO
    gradient_checkpointing: bool
    rows_at_once: int

    @property
    def text(self) -> str:
        """The same in words."""
        again = ", activations computed again" if self.gradient_checkpointing else ""
        return (
            f"{self.device}: base in {self.weights}, {self.rows_at_once} rows at once{again},"
            f" {self.optimizer}"
        )
