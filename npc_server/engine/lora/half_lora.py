"""An adapter as it is read from its files: floats of 16 bits, as training and devices have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from npc_server.engine.lora.lora_gguf import LoraFile

Half = npt.NDArray[np.float16]


@dataclass(frozen=True)
class HalfLora:
    """A checked adapter; its scale is folded into `b`."""

    a: Mapping[str, Half]  # linear -> [rank, columns]
    b: Mapping[str, Half]  # linear -> [rank, rows], transposed
    rank: int

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return sum(tensor.nbytes for side in (self.a, self.b) for tensor in side.values())


def half_lora(lora: LoraFile) -> HalfLora:
    """Tensors in 16 bits with the scale folded into B. Raises OverflowError."""
    names = [name.removesuffix(".lora_a") for name in lora.tensors if name.endswith(".lora_a")]
    with np.errstate(over="ignore"):
        a = {name: lora.tensors[f"{name}.lora_a"].astype(np.float16) for name in names}
        scaled = {name: lora.tensors[f"{name}.lora_b"].T * np.float32(lora.scale) for name in names}
        b = {name: tensor.astype(np.float16, order="C") for name, tensor in scaled.items()}
    if not all(np.isfinite(tensor).all() for tensor in b.values()):
        raise OverflowError(f"scaled by {lora.scale:g}, the adapter exceeds 16-bit floats")
    return HalfLora(a, b, lora.rank)
