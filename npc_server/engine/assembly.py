"""An engine core from a model file: mixed batching if it proves right here, grouped otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.base_figures import read_figures
from npc_server.engine.core import Emit, EngineCore
from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.lora.adapter_cache import AdapterCache
from npc_server.engine.lora.carrier import set_carrier, survey
from npc_server.engine.lora.device_slots import DeviceSlots
from npc_server.engine.lora.ggml import NodeHook
from npc_server.engine.lora.half_lora import HalfLora
from npc_server.engine.lora.lora_gguf import BaseShape, linear_shapes
from npc_server.engine.lora.mixing import Mixer
from npc_server.engine.lora.mux import GroupedMux, MixedMux
from npc_server.engine.lora.self_test import require_mixing
from npc_server.engine.lora.slots import Lora, SlotArena, slot_rank
from npc_server.engine.placement import Hardware, Placement
from npc_server.engine.planning import plan_placement
from npc_server.engine.protocol import Batching, EngineOptions

logger = logging.getLogger(__name__)

_MIB = 1 << 20


@dataclass(frozen=True)
class _Base:
    """What is loaded, and where."""

    path: Path
    shape: ContextShape
    options: EngineOptions
    placement: Placement
    memory: str  # the plan, for people


def assemble(
    model: Path,
    shape: ContextShape,
    options: EngineOptions,
    emit: Emit,
    hardware: Hardware | None = None,
) -> EngineCore:
    """Load a model, once its memory is planned. Raises ModelLoadError."""
    placement, plan = plan_placement(model, shape, options, hardware or Hardware())
    base = _Base(model, shape, options, placement, plan.text)
    if options.batching is Batching.GROUPED:
        return _assemble_grouped(base, emit, "")
    try:
        return _assemble_mixed(base, emit)
    except MixingUnavailableError as error:
        logger.warning("turns are grouped by adapter: %s", error)
        return _assemble_grouped(base, emit, str(error))


def base_shape(llama: Llama, model: Path) -> BaseShape:
    """The shape of a base that its adapters must fit."""
    linears, pairs = linear_shapes(model), llama.rotates_pairs
    return BaseShape(llama.architecture, llama.heads, llama.kv_heads, linears, pairs)


def _assemble_mixed(base: _Base, emit: Emit) -> EngineCore:
    linears = linear_shapes(base.path)
    if not linears:
        raise MixingUnavailableError("no weights of the model can be adapted")
    rank, hook = slot_rank(base.options.max_rank), NodeHook()
    llama = Llama(base.path, base.shape, hook.callback, base.placement, chat=base.options.chat)
    try:
        set_carrier(llama, linears, rank)
        arena: SlotArena | DeviceSlots
        if base.placement.gpu_layers:
            carrier = survey(llama, hook, linears)
            arena = DeviceSlots(carrier, base.shape.sequences, llama.settle)
        else:
            bits = read_figures(base.path).adapter_bits
            arena = SlotArena(linears, base.shape.sequences, rank, bits)
        mixer = Mixer(arena, hook)
        require_mixing(llama, mixer, arena)
    except MixingUnavailableError:
        llama.close()
        raise
    cache = _adapter_cache(llama, base, arena.form_of)
    mux = MixedMux(llama, mixer, arena, cache)
    return EngineCore(llama, mux, cache, emit, base.options, memory=base.memory)


def _assemble_grouped(base: _Base, emit: Emit, reason: str) -> EngineCore:
    llama = Llama(base.path, base.shape, placement=base.placement, chat=base.options.chat)
    cache = _adapter_cache(llama, base)
    mux = GroupedMux(llama, base_shape(llama, base.path), cache)
    return EngineCore(llama, mux, cache, emit, base.options, reason, base.memory)


def _adapter_cache(
    llama: Llama, base: _Base, form_of: Callable[[HalfLora], Lora] = lambda lora: lora
) -> AdapterCache:
    shape, limit = base_shape(llama, base.path), base.options.adapter_cache_mib * _MIB
    return AdapterCache(shape, base.options.max_rank, limit, form_of)
