"""The device that is asked for is used, or missed with what to do."""

import pytest
import torch

from trainer.errors import ConfigError
from trainer.hardware import device_for, find_hardware
from trainer.held import Device


@pytest.mark.parametrize(
    ("has_cuda", "has_mps", "device"),
    [(True, False, Device.CUDA), (False, True, Device.MPS), (False, False, Device.CPU)],
)
def test_a_gpu_goes_before_the_cpu(has_cuda: bool, has_mps: bool, device: Device) -> None:
    assert device_for(Device.AUTO, has_cuda, has_mps) is device


def test_the_cpu_is_used_when_it_is_asked_for() -> None:
    assert device_for(Device.CPU, has_cuda=True, has_mps=True) is Device.CPU
    assert find_hardware(Device.CPU).device is Device.CPU


@pytest.mark.parametrize("asked", [Device.CUDA, Device.MPS])
def test_a_device_that_is_not_here_is_missed_by_name(asked: Device) -> None:
    with pytest.raises(ConfigError, match=f'device = "{asked}" in .*set "auto", or "cpu"'):
        device_for(asked, has_cuda=False, has_mps=False)


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch is built with CUDA")
def test_a_torch_without_cuda_is_named_as_the_reason() -> None:
    with pytest.raises(ConfigError, match="is built without CUDA"):
        find_hardware(Device.CUDA)
