"""The adapter of zeros that makes llama.cpp build the nodes that mixing rewrites.

Where llama.cpp has put it tells where slots must lie: beside the weights that it adapts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from npc_server.engine.errors import AdapterRejectedError, MixingUnavailableError
from npc_server.engine.llama import BatchRow, Llama
from npc_server.engine.lora.adapter_gguf import write_adapter_gguf
from npc_server.engine.lora.device_slots import CarrierWeights
from npc_server.engine.lora.ggml import Address, NodeHook, Tensor, copy_of, weight_name

Linears = Mapping[str, tuple[int, int]]  # weight -> (columns, rows)


def set_carrier(llama: Llama, linears: Linears, rank: int) -> None:
    """Set the carrier on the context. Raises MixingUnavailableError."""
    tensors = {}
    for name, (columns, rows) in linears.items():
        tensors[f"{name}.lora_a"] = np.zeros((rank, columns), np.float16)
        tensors[f"{name}.lora_b"] = np.zeros((rows, rank), np.float16)
    with tempfile.TemporaryDirectory(prefix="npc-carrier-") as scratch:
        path = Path(scratch) / "carrier.gguf"
        write_adapter_gguf(path, llama.architecture, tensors, alpha=0.0)
        try:
            llama.set_adapter(llama.load_adapter(path))
        except AdapterRejectedError as error:
            raise MixingUnavailableError(f"llama.cpp refuses the carrier: {error}") from error


def survey(llama: Llama, hook: NodeHook, linears: Linears) -> Mapping[str, CarrierWeights]:
    """Find the carrier's weights in the graph of a token. Raises MixingUnavailableError."""
    found: dict[str, Tensor] = {}
    before, hook.look = hook.look, lambda node, ask: _note(node, ask, found)
    try:
        llama.decode([BatchRow(0, 0, 0, wants_logits=True)])
    finally:
        hook.look = before
        llama.clear(0)
    missing = [x for x in linears if not {f"{x}.lora_a", f"{x}.lora_b"} <= found.keys()]
    if missing:
        raise MixingUnavailableError(f"the graph has no adapter of {', '.join(missing[:3])}")
    return {x: CarrierWeights(found[f"{x}.lora_a"], found[f"{x}.lora_b"]) for x in linears}


def _note(address: Address, ask: bool, found: dict[str, Tensor]) -> bool:
    weight = Tensor.from_address(address).src[0]
    if ask and weight:
        tensor = Tensor.from_address(weight)
        name = weight_name(tensor)
        if ".lora_" in name:
            found[name] = copy_of(tensor)
    return not ask
