"""What a training computes on: the device that is asked for, as torch finds it."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from npc_server.engine import host_memory
from trainer.errors import ConfigError
from trainer.held import Device
from trainer.memory_plan import Hardware

logger = logging.getLogger(__name__)

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def find_hardware(asked: Device = Device.AUTO) -> Hardware:
    """Find the device. Raises ConfigError when the one that is asked for is not here."""
    device = device_for(asked, torch.cuda.is_available(), torch.backends.mps.is_available())
    if device is Device.CUDA:
        return _first_gpu()
    if device is Device.CPU and asked is Device.AUTO and _NVIDIA_DRIVER.exists():
        logger.warning("there is a GPU, but %s; training on the CPU", _why_no_cuda())
    return Hardware(device, "", host_memory.available_bytes(), has_bfloat16=device is Device.CPU)


def device_for(asked: Device, has_cuda: bool, has_mps: bool) -> Device:
    """The device to compute on. Raises ConfigError when it is not here."""
    here = {Device.CPU: True, Device.CUDA: has_cuda, Device.MPS: has_mps}
    if asked is Device.AUTO:
        return next(device for device in (Device.CUDA, Device.MPS, Device.CPU) if here[device])
    if not here[asked]:
        why = _why_no_cuda() if asked is Device.CUDA else "torch finds no GPU of a Mac"
        raise ConfigError(
            f'device = "{asked}" in [training]: {why}; set "auto", or "cpu" to train without'
        )
    return asked


def _first_gpu() -> Hardware:
    free, _ = torch.cuda.mem_get_info(0)
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Hardware(Device.CUDA, torch.cuda.get_device_name(0), free, has_bfloat16)


def _why_no_cuda() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built without CUDA: install the build that has it"
    return "torch finds no CUDA GPU: look at the driver (nvidia-smi) and CUDA_VISIBLE_DEVICES"
