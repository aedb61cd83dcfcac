"""Where a base will be computed: what is here, what is asked for, and what fits, before loading."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from npc_server.engine.base_figures import read_figures
from npc_server.engine.devices import list_devices
from npc_server.engine.host_memory import available_bytes
from npc_server.engine.llama import ContextShape
from npc_server.engine.memory_plan import (
    Load,
    MemoryPlan,
    fitting_layers,
    require_kv_type,
    require_room,
)
from npc_server.engine.placement import Hardware, Placement, chosen_devices
from npc_server.engine.protocol import EngineOptions
from npc_server.engine.settings import AUTO


def plan_placement(
    model: Path, shape: ContextShape, options: EngineOptions, hardware: Hardware
) -> tuple[Placement, MemoryPlan]:
    """Ask the devices, and settle what llama.cpp is told and what it will take.

    Raises ModelLoadError: DeviceMissingError, KvTypeError, NoRoomError.
    """
    load = Load(read_figures(model), shape, options)
    require_kv_type(load)
    host_free = available_bytes()
    placement = Placement(chosen_devices(list_devices(), hardware))
    wanted = hardware.gpu_layers
    layers = fitting_layers(load, placement) if wanted == AUTO else wanted
    placement = replace(placement, gpu_layers=min(layers, len(load.base.layers) + 1))
    return placement, require_room(load, placement, host_free)
