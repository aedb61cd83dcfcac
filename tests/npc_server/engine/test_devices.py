"""What llama.cpp says it can compute on."""

import pytest

from npc_server.engine.devices import DeviceKind, handle_of, list_devices


def test_the_cpu_is_a_device_of_every_build() -> None:
    (cpu,) = [device for device in list_devices() if device.kind is DeviceKind.CPU]
    assert (cpu.name, cpu.backend) == ("CPU", "CPU")
    assert cpu.description
    assert 0 < cpu.free_bytes <= cpu.total_bytes


def test_a_device_is_found_by_its_name() -> None:
    assert len({handle_of(device.name) for device in list_devices()}) == len(list_devices())
    with pytest.raises(KeyError):
        handle_of("CUDA99")
