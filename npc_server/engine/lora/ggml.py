"""The few facts of ggml's C interface that adapter mixing relies on, checked before they are used.

llama-cpp-python binds llama.cpp but not ggml's graph nodes. `Tensor` mirrors `struct ggml_tensor`
of the pinned release; `require_known_layout` compares its size with what the loaded library says
and fails otherwise, so that another build is refused instead of misread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp import llama_cpp as lc

from npc_server.engine.errors import MixingUnavailableError

Address = int

_OBJECT_BYTES = 32  # sizeof(struct ggml_object), which ggml_tensor_overhead() adds
_MOST_OPERATIONS = 90
_OPERATIONS = ("NONE", "MUL_MAT", "SCALE")

#: `llama_context::get_sched() const`, exported under its Itanium C++ ABI name.
_GET_SCHEDULER = "_ZNK13llama_context9get_schedEv"


class Tensor(ctypes.Structure):
    """`struct ggml_tensor`: a graph node or a weight."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),  # elements by dimension, innermost first
        ("nb", ctypes.c_size_t * 4),  # stride in bytes by dimension
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
        ("extra", ctypes.c_void_p),
        ("padding", ctypes.c_char * 8),
    )


#: Offset of `op`, to look at a node's operation without mapping the whole struct.
OP_OFFSET = Tensor.op.offset


class Graph:
    """Access to the graph a llama context computes: operations by name, and the node callback."""

    def __init__(self) -> None:
        self._base = _base_library()
        require_known_layout(self._base)
        self.operation = _operations(self._base)
        self._set_callback = self._base.ggml_backend_sched_set_eval_callback
        self._set_callback.argtypes = [ctypes.c_void_p] * 3
        self._set_callback.restype = None
        self._get_scheduler = _symbol(lc._lib, _GET_SCHEDULER)
        self._get_scheduler.argtypes = [ctypes.c_void_p]
        self._get_scheduler.restype = ctypes.c_void_p

    def attach(self, context: Any, callback: Any) -> None:
        """Have `callback` see every node of the next computations."""
        function = ctypes.cast(callback, ctypes.c_void_p)
        self._set_callback(self._scheduler(context), function, None)

    def detach(self, context: Any) -> None:
        """Let computations run unseen. A rebuild of the graph attaches the context's own again."""
        self._set_callback(self._scheduler(context), None, None)

    def _scheduler(self, context: Any) -> Any:
        return self._get_scheduler(ctypes.cast(context, ctypes.c_void_p))


def node_callback(look: Callable[[Address, bool], bool]) -> Any:
    """A C function for `cb_eval`; keep it alive as long as a context may call it."""
    return lc.ggml_backend_sched_eval_callback(lambda node, ask, _: look(node, ask))


def require_known_layout(base: Any) -> None:
    """Raise MixingUnavailableError unless `Tensor` has the size the library uses."""
    base.ggml_tensor_overhead.restype = ctypes.c_size_t
    found = base.ggml_tensor_overhead() - _OBJECT_BYTES
    if found != ctypes.sizeof(Tensor):
        raise MixingUnavailableError(
            f"a graph node has {found} bytes in this llama.cpp, {ctypes.sizeof(Tensor)} are known"
        )


def _base_library() -> Any:
    folder = Path(llama_cpp.__file__).parent / "lib"
    for name in ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll"):
        if (folder / name).is_file():
            return ctypes.CDLL(str(folder / name))
    raise MixingUnavailableError(f"no ggml base library in {folder}")


def _symbol(library: Any, name: str) -> Any:
    try:
        return getattr(library, name)
    except AttributeError as error:
        raise MixingUnavailableError(f"this build of llama.cpp does not export {name}") from error


def _operations(base: Any) -> Mapping[str, int]:
    """Numbers of the operations in use. The search ends at the last of them: the library's table
    has no bounds check.
    """
    base.ggml_op_name.restype = ctypes.c_char_p
    base.ggml_op_name.argtypes = [ctypes.c_int]
    found: dict[str, int] = {}
    for number in range(_MOST_OPERATIONS):
        name = base.ggml_op_name(number).decode()
        if name in _OPERATIONS:
            found[name] = number
        if len(found) == len(_OPERATIONS):
            return found
    raise MixingUnavailableError(f"ggml lacks one of {', '.join(_OPERATIONS)}")
