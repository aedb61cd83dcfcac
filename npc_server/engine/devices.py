"""What llama.cpp can compute on here: the CPU, and the GPUs of the backend it was built with.

A device has the name that llama.cpp gives it, such as "CUDA0", "Vulkan0" or "Metal", and the
setting `[engine] device` takes these names. Asking a GPU for its memory may take it into use:
only the process that computes on it, and `npc devices`, should ask.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from npc_server.engine.errors import ModelLoadError
from npc_server.engine.ggml_libraries import open_base, open_registry
from npc_server.engine.host_memory import available_bytes
from npc_server.engine.llama_log import init_library

Handle = int  # address of a ggml_backend_device


class DeviceKind(StrEnum):
    """What a device is; the order is that of `enum ggml_backend_dev_type`."""

    CPU = "cpu"
    GPU = "gpu"
    INTEGRATED = "integrated gpu"  # shares the machine's memory
    ACCELERATOR = "accelerator"  # helps the CPU, such as BLAS; holds nothing
    META = "meta"  # several as one, which llama.cpp makes itself

    @property
    def holds_layers(self) -> bool:
        """Whether layers of a model can be put there."""
        return self in (DeviceKind.GPU, DeviceKind.INTEGRATED)


@dataclass(frozen=True)
class Device:
    """One device, as it was when asked."""

    name: str
    description: str  # of the hardware, in its driver's words
    backend: str  # such as "CUDA"
    kind: DeviceKind
    free_bytes: int  # 0 with total_bytes 0: the device does not say
    total_bytes: int


def list_devices() -> tuple[Device, ...]:
    """All devices, in llama.cpp's order. Raises ModelLoadError where the build has no list."""
    return tuple(_device(handle) for handle in _handles())


def handle_of(name: str) -> Handle:
    """The library's handle of a device. Raises KeyError."""
    found = {_text(_library().ggml_backend_dev_name(handle)): handle for handle in _handles()}
    return found[name]


def _handles() -> Iterator[Handle]:
    init_library()
    registry = _registry()
    for index in range(registry.ggml_backend_dev_count()):
        yield registry.ggml_backend_dev_get(index)


def _device(handle: Handle) -> Device:
    base = _library()
    kind = list(DeviceKind)[base.ggml_backend_dev_type(handle)]
    free, total = _memory(handle)
    if kind is DeviceKind.CPU:  # ggml calls all memory of the machine free
        free = available_bytes() or free
    return Device(
        name=_text(base.ggml_backend_dev_name(handle)),
        description=_text(base.ggml_backend_dev_description(handle)),
        backend=_text(base.ggml_backend_reg_name(base.ggml_backend_dev_backend_reg(handle))),
        kind=kind,
        free_bytes=free,
        total_bytes=total,
    )


def _memory(handle: Handle) -> tuple[int, int]:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _library().ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    return free.value, total.value


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


@cache
def _library() -> Any:
    base = _load(open_base)
    for name in ("name", "description", "type", "backend_reg", "memory"):
        getattr(base, f"ggml_backend_dev_{name}").argtypes = [ctypes.c_void_p]
    base.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p] * 3
    base.ggml_backend_dev_backend_reg.restype = ctypes.c_void_p
    base.ggml_backend_reg_name.argtypes = [ctypes.c_void_p]
    for name in ("dev_name", "dev_description", "reg_name"):
        getattr(base, f"ggml_backend_{name}").restype = ctypes.c_char_p
    return base


@cache
def _registry() -> Any:
    registry = _load(open_registry)
    registry.ggml_backend_dev_count.restype = ctypes.c_size_t
    registry.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    registry.ggml_backend_dev_get.restype = ctypes.c_void_p
    return registry


def _load(opening: Any) -> Any:
    try:
        return opening()
    except OSError as error:
        raise ModelLoadError(f"this llama-cpp-python cannot list its devices: {error}") from error
