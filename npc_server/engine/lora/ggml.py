"""The few facts of ggml's C interface that adapter mixing relies on, checked before they are used.

llama-cpp-python binds llama.cpp but not ggml's graph nodes and memory. `Tensor` mirrors `struct
ggml_tensor` of the pinned release; `require_known_layout` compares its size with what the loaded
library says and fails otherwise, so that another build is refused instead of misread.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lc

from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.ggml_libraries import open_base

Address = int

F32 = int(lc.GGML_TYPE_F32)

_OBJECT_BYTES = 32  # sizeof(struct ggml_object), which ggml_tensor_overhead() adds
_MOST_OPERATIONS = 96
_OPERATIONS = ("NONE", "ADD", "MUL_MAT", "SCALE", "CUSTOM")

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


def copy_of(tensor: Tensor) -> Tensor:
    """A struct of our own with the same content."""
    copy = Tensor()
    ctypes.memmove(ctypes.addressof(copy), ctypes.addressof(tensor), ctypes.sizeof(Tensor))
    return copy


#: How the scheduler calls the copy of a weight that another device than its own computes with.
_COPY = re.compile(r"[^#]+#(.+)#\d+")


def weight_name(tensor: Tensor) -> str:
    """The name of a weight, or of the one that this is a copy of."""
    name = tensor.name.decode("utf-8", "replace")
    copied = _COPY.fullmatch(name)
    return copied[1] if copied else name


class CustomOperation(ctypes.Structure):
    """`struct ggml_custom_op_params`: what a node of the operation CUSTOM calls."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        ("threads", ctypes.c_int),  # that take part; -1 = all there are
        ("data", ctypes.c_void_p),
    )


def customize(node: Tensor, operation: int, function: Address, data: Address) -> None:
    """Make a node call `function` with `data`, which must stay where it is, in all threads."""
    parameters = CustomOperation(function, -1, data)
    target = ctypes.addressof(node) + Tensor.op_params.offset
    ctypes.memmove(target, ctypes.addressof(parameters), ctypes.sizeof(parameters))
    node.op = operation


#: Offset of `op`, to look at a node's operation without mapping the whole struct.
OP_OFFSET = Tensor.op.offset


class Graph:
    """Access to the graph a llama context computes: operations by name, and the node callback."""

    def __init__(self) -> None:
        self._base = _open_base()
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


class NodeHook:
    """A C function for `cb_eval`, and `look`, which it asks and which may change."""

    def __init__(self) -> None:
        self.look: Callable[[Address, bool], bool] = lambda _, ask: not ask
        self.callback = node_callback(lambda node, ask: self.look(node, ask))


class TensorMemory:
    """Memory of any device that ggml computes on, the host's among them."""

    def __init__(self) -> None:
        self._base = _declare_memory(_open_base())

    def is_host(self, buffer: Address) -> bool:
        """Whether the CPU can read and write what lies in a buffer."""
        return bool(self._base.ggml_backend_buffer_is_host(buffer))

    def name(self, buffer: Address) -> str:
        """What ggml calls a buffer, such as "CUDA0"."""
        return str(self._base.ggml_backend_buffer_name(buffer).decode("utf-8", "replace"))

    def same_kind(self, buffer: Address, other: Address) -> bool:
        """Whether what lies in one buffer could lie in the other."""
        return self._kind(buffer) == self._kind(other)

    def most_bytes(self, buffer: Address) -> int:
        """The most that one buffer of the kind of `buffer` can hold."""
        return int(self._base.ggml_backend_buft_get_max_size(self._kind(buffer)))

    def place(self, tensors: Sequence[Tensor], beside: Address) -> Address:
        """Allocate a buffer of the kind of `beside`, zeroed, with `tensors` in it, and return it.

        Raises MixingUnavailableError where the device has no room.
        """
        kind = self._kind(beside)
        unit = int(self._base.ggml_backend_buft_get_alignment(kind))
        sizes = [-(-self._bytes_of(tensor, kind) // unit) * unit for tensor in tensors]
        buffer = self._base.ggml_backend_buft_alloc_buffer(kind, sum(sizes))
        if not buffer:
            raise MixingUnavailableError(
                f"{self.name(beside)} has no {sum(sizes) >> 20} MiB for the adapters of all turns"
            )
        self._base.ggml_backend_buffer_clear(buffer, 0)
        address = self._base.ggml_backend_buffer_get_base(buffer)
        for tensor, size in zip(tensors, sizes, strict=True):
            self._base.ggml_backend_tensor_alloc(buffer, ctypes.byref(tensor), address)
            address += size
        return int(buffer)

    def free(self, buffer: Address) -> None:
        """Free a buffer that `place` has returned."""
        self._base.ggml_backend_buffer_free(buffer)

    def write(self, tensor: Tensor, values: npt.NDArray[Any], offset: int) -> None:
        """Write values, as they lie in memory, into a tensor from a byte on."""
        source = np.ascontiguousarray(values)
        self._base.ggml_backend_tensor_set(
            ctypes.byref(tensor), source.ctypes.data, offset, source.nbytes
        )

    def copy(self, source: Tensor, target: Tensor) -> None:
        """Copy a tensor into another of the same shape, on their device where that is possible."""
        self._base.ggml_backend_tensor_copy(ctypes.byref(source), ctypes.byref(target))

    def _kind(self, buffer: Address) -> Address:
        return int(self._base.ggml_backend_buffer_get_type(buffer))

    def _bytes_of(self, tensor: Tensor, kind: Address) -> int:
        return int(self._base.ggml_backend_buft_get_alloc_size(kind, ctypes.byref(tensor)))


def require_known_layout(base: Any) -> None:
    """Raise MixingUnavailableError unless `Tensor` has the size the library uses."""
    base.ggml_tensor_overhead.restype = ctypes.c_size_t
    found = base.ggml_tensor_overhead() - _OBJECT_BYTES
    if found != ctypes.sizeof(Tensor):
        raise MixingUnavailableError(
            f"a graph node has {found} bytes in this llama.cpp, {ctypes.sizeof(Tensor)} are known"
        )


def _open_base() -> Any:
    try:
        return open_base()
    except OSError as error:
        raise MixingUnavailableError(str(error)) from error


def _declare_memory(base: Any) -> Any:
    """Declare what the functions on buffers and tensors take and return."""
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
        ("buffer_is_host", ctypes.c_bool, (pointer,)),
        ("buffer_name", ctypes.c_char_p, (pointer,)),
        ("buffer_get_type", pointer, (pointer,)),
        ("buffer_get_base", pointer, (pointer,)),
        ("buffer_clear", None, (pointer, ctypes.c_uint8)),
        ("buffer_free", None, (pointer,)),
        ("buft_get_alignment", size, (pointer,)),
        ("buft_get_max_size", size, (pointer,)),
        ("buft_get_alloc_size", size, (pointer, pointer)),
        ("buft_alloc_buffer", pointer, (pointer, size)),
        ("tensor_alloc", ctypes.c_int, (pointer, pointer, pointer)),
        ("tensor_set", None, (pointer, pointer, size, size)),
        ("tensor_copy", None, (pointer, pointer)),
    ):
        function = getattr(base, f"ggml_backend_{name}")
        function.restype, function.argtypes = result, list(arguments)
    return base


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
