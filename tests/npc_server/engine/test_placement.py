"""Which GPUs are used, and which layers lie where."""

import pytest

from npc_server.engine.devices import Device, DeviceKind
from npc_server.engine.errors import DeviceMissingError
from npc_server.engine.placement import ON_CPU, Hardware, chosen_devices, layer_homes


def device(name: str, kind: DeviceKind) -> Device:
    return Device(name, f"a {kind}", name.rstrip("01"), kind, 1 << 30, 2 << 30)


CPU = device("CPU", DeviceKind.CPU)
BLAS = device("BLAS", DeviceKind.ACCELERATOR)
CARDS = (device("CUDA0", DeviceKind.GPU), device("CUDA1", DeviceKind.GPU))
SHARED = device("Vulkan0", DeviceKind.INTEGRATED)


@pytest.mark.parametrize(
    ("available", "hardware", "found"),
    [
        ((CPU, BLAS), Hardware(), ()),
        ((CPU, *CARDS, SHARED), Hardware(), CARDS),
        ((CPU, SHARED), Hardware(), (SHARED,)),
        ((CPU, *CARDS), Hardware(device="cuda1"), CARDS[1:]),
        ((CPU, *CARDS), Hardware(device="CUDA1, CUDA0"), CARDS[::-1]),
        ((CPU, *CARDS), Hardware(device="CPU"), ()),
        ((CPU, *CARDS), Hardware(main_gpu=1), CARDS[1:]),
        ((CPU,), Hardware(gpu_layers=0), ()),
    ],
)
def test_devices_are_chosen_as_asked(
    available: tuple[Device, ...], hardware: Hardware, found: tuple[Device, ...]
) -> None:
    assert chosen_devices(available, hardware) == found


@pytest.mark.parametrize(
    ("hardware", "told"),
    [
        (
            Hardware(device="CUDA"),
            r"'CUDA': no such device, did you mean CUDA\d\?; here are CPU",
        ),
        (Hardware(device="Metal"), r"'Metal': no such device; here are CPU .*CUDA1 \(a gpu\)$"),
        (Hardware(main_gpu=2), r"main_gpu = 2 counts from 0, and 2 GPUs are used"),
        (Hardware(gpu_layers=5, device="CPU"), r"gpu_layers = 5, and there is no GPU to hold them"),
    ],
)
def test_what_is_not_here_is_told_with_what_is(hardware: Hardware, told: str) -> None:
    with pytest.raises(DeviceMissingError, match=told):
        chosen_devices((CPU, *CARDS), hardware)


def test_a_build_without_gpus_says_so() -> None:
    with pytest.raises(DeviceMissingError, match="this llama-cpp-python knows no GPU"):
        chosen_devices((CPU, BLAS), Hardware(gpu_layers=5))


@pytest.mark.parametrize(
    ("gpu_layers", "shares", "homes"),
    [
        (0, (1.0,), (ON_CPU,) * 5),
        (3, (), (ON_CPU,) * 5),
        (1, (1.0,), (ON_CPU, ON_CPU, ON_CPU, ON_CPU, 0)),
        (3, (1.0,), (ON_CPU, ON_CPU, 0, 0, 0)),
        (5, (0.4, 0.6), (0, 0, 1, 1, 1)),
        (99, (0.5, 0.5), (0, 0, 0, 1, 1)),
    ],
)
def test_the_last_layers_lie_on_gpus(
    gpu_layers: int, shares: tuple[float, ...], homes: tuple[int, ...]
) -> None:
    assert layer_homes(4, gpu_layers, shares) == homes
