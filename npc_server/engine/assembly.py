"""An engine core from a model file: mixed batching if it proves right here, grouped otherwise."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np

from npc_server.engine.core import Emit, EngineCore
from npc_server.engine.errors import AdapterRejectedError, MixingUnavailableError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.lora.adapter_cache import AdapterCache
from npc_server.engine.lora.adapter_gguf import write_adapter_gguf
from npc_server.engine.lora.lora_gguf import BaseShape, linear_shapes
from npc_server.engine.lora.mixing import Mixer
from npc_server.engine.lora.mux import GroupedMux, MixedMux
from npc_server.engine.lora.self_test import require_mixing
from npc_server.engine.lora.slots import SlotArena
from npc_server.engine.protocol import Batching, EngineOptions

logger = logging.getLogger(__name__)

_RANK_UNIT = 16  # ggml's fast kernels want operands in multiples of it
_MIB = 1 << 20


def assemble(model: Path, shape: ContextShape, options: EngineOptions, emit: Emit) -> EngineCore:
    """Load a model. Raises ModelLoadError."""
    if options.batching is Batching.GROUPED:
        return _assemble_grouped(model, shape, options, emit, "")
    try:
        return _assemble_mixed(model, shape, options, emit)
    except MixingUnavailableError as error:
        logger.warning("turns are grouped by adapter: %s", error)
        return _assemble_grouped(model, shape, options, emit, str(error))


def base_shape(llama: Llama, model: Path) -> BaseShape:
    """The shape of a base that its adapters must fit."""
    linears, pairs = linear_shapes(model), llama.rotates_pairs
    return BaseShape(llama.architecture, llama.heads, llama.kv_heads, linears, pairs)


def _assemble_mixed(
    model: Path, shape: ContextShape, options: EngineOptions, emit: Emit
) -> EngineCore:
    linears = linear_shapes(model)
    if not linears:
        raise MixingUnavailableError("no weights of the model can be adapted")
    rank = -(-options.max_rank // _RANK_UNIT) * _RANK_UNIT
    arena = SlotArena(linears, shape.sequences, rank)
    mixer = Mixer(arena, shape.batch_tokens)
    llama = Llama(model, shape, mixer.callback, chat=options.chat)
    try:
        _set_carrier(llama, arena)
        require_mixing(llama, mixer, arena)
    except MixingUnavailableError:
        llama.close()
        raise
    cache = _adapter_cache(llama, model, options)
    mux = MixedMux(llama, mixer, arena, cache)
    return EngineCore(llama, mux, cache, emit, options)


def _assemble_grouped(
    model: Path, shape: ContextShape, options: EngineOptions, emit: Emit, reason: str
) -> EngineCore:
    llama = Llama(model, shape, chat=options.chat)
    cache = _adapter_cache(llama, model, options)
    mux = GroupedMux(llama, base_shape(llama, model), cache)
    return EngineCore(llama, mux, cache, emit, options, reason)


def _adapter_cache(llama: Llama, model: Path, options: EngineOptions) -> AdapterCache:
    base = base_shape(llama, model)
    return AdapterCache(base, options.max_rank, options.adapter_cache_mib * _MIB)


def _set_carrier(llama: Llama, arena: SlotArena) -> None:
    """Set the adapter of zeros that makes llama.cpp build the nodes that mixing rewrites."""
    tensors = {}
    for name, linear in arena.linears.items():
        tensors[f"{name}.lora_a"] = np.zeros((arena.rank, linear.columns), np.float16)
        tensors[f"{name}.lora_b"] = np.zeros((linear.rows, arena.rank), np.float16)
    with tempfile.TemporaryDirectory(prefix="npc-carrier-") as scratch:
        path = Path(scratch) / "carrier.gguf"
        write_adapter_gguf(path, llama.architecture, tensors, alpha=0.0)
        try:
            llama.set_adapter(llama.load_adapter(path))
        except AdapterRejectedError as error:
            raise MixingUnavailableError(f"llama.cpp refuses the carrier: {error}") from error
