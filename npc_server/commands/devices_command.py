"""`npc devices`: what the engine can compute on here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Column, Table

from npc_server.commands.command_line import AsJson, ConfigFile, config_of, console, say

if TYPE_CHECKING:
    from npc_server.engine.devices import Device

app = typer.Typer()

_MIB = 1 << 20


@app.command(epilog="Example:  npc devices    NPC_ENGINE_DEVICE=Vulkan0 npc devices --json")
def devices(as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """List the devices that this build of llama.cpp computes on, and which ones are used."""
    from npc_server.engine.devices import list_devices
    from npc_server.engine.engine_process import hardware_of
    from npc_server.engine.placement import chosen_devices

    found = list_devices()
    settings = config_of(config_file).engine.settings
    used = chosen_devices(found, hardware_of(settings))
    if as_json:
        print(json.dumps([_row(device, used) for device in found], indent=2))
        return
    console.print(_table(found, used))
    if not any(device.kind.holds_layers for device in found):
        say(
            "No GPU: llama-cpp-python was built for the CPU alone, or finds none."
            " docs/operators.md tells under GPUs how to build it for one."
        )


def _row(device: Device, used: Sequence[Device]) -> dict[str, Any]:
    return asdict(device) | {"used": device in used}


def _table(found: Sequence[Device], used: Sequence[Device]) -> Table:
    table = Table(
        "", "device", "backend", "kind", Column("free MiB", justify="right"), "of", "hardware"
    )
    for device in found:
        table.add_row(
            "●" if device in used else "",
            device.name,
            device.backend,
            device.kind.value,
            f"{device.free_bytes // _MIB:,}" if device.total_bytes else "?",
            f"{device.total_bytes // _MIB:,}" if device.total_bytes else "?",
            device.description,
        )
    return table
