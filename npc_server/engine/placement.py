"""Which devices a base is computed on, and where each of its layers lies; pure.

llama.cpp puts the last layers on GPUs and keeps the first on the CPU: of L layers and the output
layer, `gpu_layers` counts from the end. Several GPUs share them in proportion to their free memory,
in one run each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import accumulate

from npc_server.engine.devices import Device, DeviceKind
from npc_server.engine.errors import DeviceMissingError
from npc_server.engine.settings import AUTO, GpuLayers

CPU = "CPU"
#: The home of a layer that lies on no GPU.
ON_CPU = -1


@dataclass(frozen=True)
class Hardware:
    """What the settings ask for."""

    gpu_layers: GpuLayers = AUTO
    device: str = ""  # names with commas between; "" = every GPU, or the CPU where there is none
    main_gpu: int = -1  # the one of these that holds all layers, counted from 0; -1 = they share


@dataclass(frozen=True)
class Placement:
    """What llama.cpp is told."""

    devices: tuple[Device, ...] = ()  # GPUs; none = the CPU alone
    gpu_layers: int = 0  # of the layers and the output, from the end

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the GPU layers of each device."""
        room = [device.free_bytes or 1 for device in self.devices]
        return tuple(one / sum(room) for one in room)


def chosen_devices(available: Sequence[Device], hardware: Hardware) -> tuple[Device, ...]:
    """The GPUs to use; none is the CPU alone. Raises DeviceMissingError."""
    wanted = [name.strip() for name in hardware.device.split(",") if name.strip()]
    found = _devices_named(available, wanted) if wanted else _usual(available)
    if not found and hardware.gpu_layers not in (AUTO, 0):
        raise DeviceMissingError(
            f"engine.gpu_layers = {hardware.gpu_layers}, and there is no GPU to hold them;"
            f" {_overview(available)}"
        )
    if hardware.main_gpu < 0:
        return found
    if hardware.main_gpu >= len(found):
        raise DeviceMissingError(
            f"engine.main_gpu = {hardware.main_gpu} counts from 0, and {len(found)} GPUs are used;"
            f" {_overview(available)}"
        )
    return (found[hardware.main_gpu],)


def _devices_named(available: Sequence[Device], wanted: Sequence[str]) -> tuple[Device, ...]:
    by_name = {device.name.casefold(): device for device in available}
    for name in wanted:
        if name.casefold() not in by_name:
            near = get_close_matches(name.casefold(), by_name, n=1)
            hint = f", did you mean {by_name[near[0]].name}?" if near else ""
            raise DeviceMissingError(
                f"engine.device = {name!r}: no such device{hint}; {_overview(available)}"
            )
    found = tuple(by_name[name.casefold()] for name in wanted)
    return tuple(device for device in found if device.kind.holds_layers)


def _usual(available: Sequence[Device]) -> tuple[Device, ...]:
    """Every GPU of its own memory, or else the integrated one."""
    for kind in (DeviceKind.GPU, DeviceKind.INTEGRATED):
        if found := tuple(device for device in available if device.kind is kind):
            return found if kind is DeviceKind.GPU else found[:1]
    return ()


def _overview(available: Sequence[Device]) -> str:
    names = ", ".join(f"{device.name} ({device.description})" for device in available)
    gpus = any(device.kind.holds_layers for device in available)
    return f"here are {names}" + ("" if gpus else ": this llama-cpp-python knows no GPU")


def layer_homes(layers: int, gpu_layers: int, shares: Sequence[float]) -> tuple[int, ...]:
    """For each layer, and last for the output: the index of its GPU, or ON_CPU.

    The rule is that of llama.cpp's `load_tensors`.
    """
    held = min(gpu_layers, layers + 1) if shares else 0
    bounds = list(accumulate(shares))
    first = layers + 1 - held
    return tuple(
        ON_CPU if layer < first else _home((layer - first) / held, bounds)
        for layer in range(layers + 1)
    )


def _home(position: float, bounds: Sequence[float]) -> int:
    return next((i for i, bound in enumerate(bounds) if bound > position), len(bounds) - 1)
