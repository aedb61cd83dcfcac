"""Keeps weights out of ggml's layout for AMX, the tile unit of some CPUs by Intel.

Builds of llama.cpp end the process at the first product there, depending on their compiler: the
configuration of the tiles lies on the stack, and writing it is taken for dead code, as the header
of GCC before 11.5, 12.4 and 13.3 says that eight bytes of it are read (GCC bug 114098; llama.cpp
issue 20824 and pull request 26954). Which compiler built a wheel nobody can tell, so none is
trusted, and weights lie as on any other CPU with AVX-512.

llama.cpp asks the CPU for the layouts it has. The answer is one list a process, which ends in
null; the entry is taken out of it.
"""

from __future__ import annotations

import ctypes
from itertools import count, takewhile
from typing import Any

from npc_server.engine.ggml_libraries import open_base, open_registry

_CPU = 0  # GGML_BACKEND_DEVICE_TYPE_CPU
_AMX = "AMX"


def leave_out_amx() -> None:
    """Take AMX from the list of layouts; to be done before a model is loaded."""
    listed, names = _list(), layouts()
    if _AMX in names:
        for place in range(names.index(_AMX), len(names)):  # the null moves with the rest
            listed[place] = listed[place + 1]


def layouts() -> list[str]:
    """The names of the layouts that weights on the CPU may be unpacked into; best first."""
    listed = _list()
    found = takewhile(bool, (listed[place] for place in count())) if listed else ()
    return [_name(layout) for layout in found]


def _name(layout: int) -> str:
    base = open_base()
    base.ggml_backend_buft_name.argtypes = [ctypes.c_void_p]
    base.ggml_backend_buft_name.restype = ctypes.c_char_p
    name: bytes = base.ggml_backend_buft_name(layout)
    return name.decode()


def _list() -> Any:
    """The list itself; None where a build has none."""
    try:
        base, registry = open_base(), open_registry()
    except OSError:
        return None
    registry.ggml_backend_dev_by_type.argtypes = [ctypes.c_int]
    base.ggml_backend_dev_backend_reg.argtypes = [ctypes.c_void_p]
    base.ggml_backend_reg_get_proc_address.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for function in (
        registry.ggml_backend_dev_by_type,
        base.ggml_backend_dev_backend_reg,
        base.ggml_backend_reg_get_proc_address,
    ):
        function.restype = ctypes.c_void_p
    cpu = registry.ggml_backend_dev_by_type(_CPU)
    of_cpu = base.ggml_backend_dev_backend_reg(cpu) if cpu else None
    ask = of_cpu and base.ggml_backend_reg_get_proc_address(
        of_cpu, b"ggml_backend_dev_get_extra_bufts"
    )
    if not ask:
        return None
    return ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(ask)(cpu)
