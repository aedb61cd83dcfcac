"""Writing LoRA tensors as the GGUF file that llama.cpp loads adapters from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter


def write_adapter_gguf(
    path: Path,
    architecture: str,
    tensors: Mapping[str, npt.NDArray[Any]],
    alpha: float,
    kind: npt.DTypeLike = np.float16,
) -> None:
    """Write tensors named NAME.lora_a and NAME.lora_b as floats of this kind.

    llama.cpp scales by alpha / rank, or by 1 if alpha is 0.
    """
    writer = GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, tensor in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(tensor, dtype=kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
