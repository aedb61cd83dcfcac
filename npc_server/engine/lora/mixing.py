"""Every row of a batch under its own adapter, in one decode of the stock library.

llama.cpp applies a LoRA to all rows of a batch: for each adapted linear its graph holds A·x,
B·(A·x), a scaling, and the addition to W·x. An adapter of zeros, set once, makes it build those
nodes. The callback that sees each node before it is computed then points the first two at our
slots (`SlotArena`), without adding a node:

  one adapter for all rows    A and B become the slot's matrices: the stock computation, exactly.
  an adapter for each row     A·x becomes a batched product: rows of sequence i meet slot i alone.
                              In a chunk, so does B·h. For single tokens the results of A land on
                              the diagonal blocks of a buffer that is zero elsewhere, and B·h runs
                              over a group of slots side by side, where the zeros keep every row
                              to its own slot: ggml's fast kernels want wide operands.

Slots in the memory of a device (`DeviceSlots`) do without that buffer: each sequence's product of
B is its own there, for single tokens too, and every result stays where llama.cpp has put it.

The scaling is by 1 and in place, so it is left out. A graph stays as rewritten while llama.cpp
reuses it, and the callback is detached for those steps: no Python runs inside them. Exceptions
cannot leave a callback; they are kept and raised by `check` after the step.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npc_server.engine.errors import DecodeError, MixingUnavailableError
from npc_server.engine.lora.ggml import (
    OP_OFFSET,
    Address,
    Graph,
    NodeHook,
    Tensor,
    TensorMemory,
    weight_name,
)
from npc_server.engine.lora.slots import LinearSlots, Slots, Stack

_HALF_BYTES = 2
_FLOAT_BYTES = 4
#: Slots that one product of B covers. Measured on 8 and 16 rows: fewer means narrow operands, more
#: means more zeros.
_GROUP_SLOTS = 8
_LARGEST_GROUP = 16


@dataclass(frozen=True)
class Tile:
    """The rows of one decode: `tokens` each of `sequences` neighbours, sequence by sequence."""

    first: int
    sequences: int
    tokens: int
    uniform: bool  # one adapter for all, the one in the first slot

    @property
    def rows(self) -> int:
        """Rows in all."""
        return self.sequences * self.tokens


@dataclass
class _Linear:
    """One adapted linear, and the tensors of ours that its nodes are pointed at."""

    slots: LinearSlots
    a: Tensor = field(default_factory=Tensor)
    b: Tensor = field(default_factory=Tensor)
    x: Tensor = field(default_factory=Tensor)  # the input of A, seen in groups
    h: Tensor = field(default_factory=Tensor)  # the input of B, seen in groups
    node_x: Address = 0  # as built
    node_h: Address = 0
    h_data: Address = 0


class Mixer:
    """Rewrites the LoRA nodes of one context for the tile that is about to be computed."""

    def __init__(self, arena: Slots, batch_tokens: int, hook: NodeHook | None = None) -> None:
        self._graph = Graph()
        self._memory = TensorMemory()
        self._arena = arena
        self._linears = {name: _Linear(slots) for name, slots in arena.linears.items()}
        self._known: dict[Address, tuple[_Linear, str] | None] = {}  # by weight of a product
        self._scaled: set[Address] = set()  # results of B whose scaling comes next
        self._mat_mul = self._graph.operation["MUL_MAT"]
        self._scale = self._graph.operation["SCALE"]
        self._none = self._graph.operation["NONE"]
        self._in_groups = any(linear.b_beside for linear in arena.linears.values())
        widest = max(group_of(n, 1) for n in range(1, arena.slots + 1)) * arena.rank
        self._blocks = np.zeros(batch_tokens * widest if self._in_groups else 0, np.float32)
        self._tile = Tile(0, 1, 1, uniform=True)
        self._routed: Tile | None = None
        self._error: Exception | None = None
        self._paused = False
        self._rewritten = 0  # products, in the decode under way
        self._adapted = 0  # products that a decode must rewrite: as many as the first one did
        self._hook = hook or NodeHook()
        self._hook.look = self._look
        self.callback = self._hook.callback

    def route(self, context: Any, tile: Tile) -> None:
        """Prepare the next decode, whose rows must be exactly those of `tile`."""
        self._tile, self._rewritten = tile, 0
        if tile == self._routed:
            self._graph.detach(context)
            return
        # The graph may be reused as it was rewritten for another tile of the same shape.
        self._graph.attach(context, self.callback)
        self._blocks[: tile.rows * group_of(tile.sequences, tile.tokens) * self._arena.rank] = 0
        self._routed = tile

    def check(self) -> None:
        """Raise DecodeError if rewriting went wrong in the decode just made.

        Its result is void, and so is its graph: nothing of it was computed after the fault.
        """
        error, self._error = self._error, None
        if error is not None:
            self._routed = None
            self._scaled.clear()
            raise DecodeError(f"adapters could not be mixed: {error}") from error
        self._require_all()

    def _require_all(self) -> None:
        """Raise DecodeError if a graph hid a product of adapters: it ran with the carrier's."""
        if not self._rewritten:  # the graph is reused as it was rewritten
            return
        self._adapted = self._adapted or self._rewritten
        if self._rewritten != self._adapted:
            self._routed = None
            raise DecodeError(
                f"the graph showed {self._rewritten} of {self._adapted} products of adapters"
            )

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Let the stock library run as it is, under whatever adapter is set on the context."""
        self._paused, self._routed = True, None
        try:
            yield
        finally:
            self._paused = False

    def _look(self, node: Address, ask: bool) -> bool:
        if not ask or self._paused:
            return not ask
        if self._error is None:
            try:
                self._rewrite(node)
            except Exception as error:  # ctypes would print it and go on
                self._error = error
        if self._error is not None:
            # Half-written nodes must not be computed: ggml aborts the process over odd shapes.
            ctypes.c_int.from_address(node + OP_OFFSET).value = self._none
        return False  # never ask to see a result: that would split the computation

    def _rewrite(self, address: Address) -> None:
        operation = ctypes.c_int.from_address(address + OP_OFFSET).value
        if operation == self._mat_mul:
            node = Tensor.from_address(address)
            known = self._linear_of(node.src[0])
            if known is not None:
                linear, side = known
                (self._rewrite_a if side == "a" else self._rewrite_b)(node, linear)
                self._rewritten += 1
        elif operation == self._scale:
            self._drop_scaling(Tensor.from_address(address))

    def _linear_of(self, weight: Address) -> tuple[_Linear, str] | None:
        if weight not in self._known:
            self._known[weight] = self._recognise(weight)
        return self._known[weight]

    def _recognise(self, address: Address) -> tuple[_Linear, str] | None:
        """A linear and its side ("a", "b") if this is the carrier's weight for it."""
        weight = Tensor.from_address(address)
        name, _, side = weight_name(weight).rpartition(".lora_")
        linear = self._linears.get(name)
        if linear is None:
            return None
        self._require_reachable(weight, linear.slots.a_stack)
        ours = linear.a if side == "a" else linear.b
        ctypes.memmove(ctypes.addressof(ours), address, ctypes.sizeof(Tensor))
        self._known[ctypes.addressof(ours)] = (linear, side)
        return linear, side

    def _require_reachable(self, weight: Tensor, stack: Stack) -> None:
        """Raise MixingUnavailableError unless what computes this weight can read our slots."""
        memory = self._memory
        if stack.buffer:
            reachable, held = (
                memory.same_kind(weight.buffer, stack.buffer),
                memory.name(stack.buffer),
            )
        else:
            reachable, held = memory.is_host(weight.buffer), "host memory"
        if reachable:
            return
        raise MixingUnavailableError(
            f"{weight_name(weight)} is computed in {memory.name(weight.buffer)}, not in {held}"
        )

    def _rewrite_a(self, node: Tensor, linear: _Linear) -> None:
        if node.src[0] != ctypes.addressof(linear.a):  # as built: remember what we overwrite
            linear.node_x, linear.h_data = node.src[1], node.data
        rows = _rows(Tensor.from_address(linear.node_x))
        tile, rank, columns = self._tile, self._arena.rank, linear.slots.columns
        slot_bytes = rank * columns * _HALF_BYTES
        _point(linear.a, linear.slots.a_stack, tile.first * slot_bytes)
        node.src[0] = ctypes.addressof(linear.a)
        if tile.uniform or rows == 0:
            _shape(linear.a, _HALF_BYTES, (columns, rank))
            _shape(node, _FLOAT_BYTES, (rank, rows))
            node.src[1], node.data = linear.node_x, linear.h_data
            return
        group, groups, tokens = self._groups(rows)
        node.src[1] = ctypes.addressof(linear.x)
        if not linear.slots.b_beside:
            _shape(linear.a, _HALF_BYTES, (columns, rank, groups))
            _view(linear.x, linear.node_x, (columns, tokens, groups))
            _shape(node, _FLOAT_BYTES, (rank, tokens, groups))
            node.data = linear.h_data
            return
        _shape(linear.a, _HALF_BYTES, (columns, rank, group, groups))
        _view(linear.x, linear.node_x, (columns, tokens, group, groups))
        wide = group * rank * _FLOAT_BYTES
        node.ne[:] = (rank, tokens, group, groups)
        # Sequence j of a group writes `tokens` rows, each into block j of its row.
        block = tokens * wide + (rank * _FLOAT_BYTES if group > 1 else 0)
        node.nb[:] = (_FLOAT_BYTES, wide, block, group * tokens * wide)
        node.data = self._blocks.ctypes.data

    def _rewrite_b(self, node: Tensor, linear: _Linear) -> None:
        if node.src[0] != ctypes.addressof(linear.b):
            linear.node_h = node.src[1]
            self._scaled.add(ctypes.addressof(node))
        rows = _rows(node)
        tile, rank, outputs = self._tile, self._arena.rank, linear.slots.rows
        slot_bytes = rank * outputs * _HALF_BYTES
        _point(linear.b, linear.slots.b_stack, tile.first * slot_bytes)
        node.src[0] = ctypes.addressof(linear.b)
        if tile.uniform or rows == 0:
            _shape(linear.b, _HALF_BYTES, (rank, outputs))
            _shape(node, _FLOAT_BYTES, (outputs, rows))
            node.src[1] = linear.node_h
            return
        group, groups, tokens = self._groups(rows)
        across = group * rank
        _shape(linear.b, _HALF_BYTES, (across, outputs, groups))
        if group > 1:
            linear.b.data = linear.slots.b_beside + tile.first * rank * _HALF_BYTES
            row_bytes = self._arena.slots * rank * _HALF_BYTES
            linear.b.nb[1:] = (row_bytes, across * _HALF_BYTES, across * _HALF_BYTES)
        _view(linear.h, linear.node_h, (across, group * tokens, groups))
        if linear.slots.b_beside:
            linear.h.data = self._blocks.ctypes.data
        node.src[1] = ctypes.addressof(linear.h)
        _shape(node, _FLOAT_BYTES, (outputs, group * tokens, groups))

    def _drop_scaling(self, node: Tensor) -> None:
        source = node.src[0]
        if source not in self._scaled:
            return
        self._scaled.discard(source)
        result = Tensor.from_address(source)
        if (node.data, node.buffer) != (result.data, result.buffer):
            raise MixingUnavailableError("llama.cpp scales an adapter's result out of place")
        node.op = self._none

    def _groups(self, rows: int) -> tuple[int, int, int]:
        """(slots per group, groups, tokens per sequence) of a product with this many rows."""
        sequences = self._tile.sequences
        tokens, rest = divmod(rows, sequences)
        if rest or tokens not in (1, self._tile.tokens):
            raise MixingUnavailableError(f"a product has {rows} rows where {self._tile} runs")
        group = group_of(sequences, self._tile.tokens) if self._in_groups else 1
        return group, sequences // group, tokens


def group_of(sequences: int, tokens: int) -> int:
    """How many slots a product of B covers.

    Several tokens of a sequence are enough for ggml's fast kernels. Single ones are
    grouped: by the divisor of `sequences` nearest the best size.
    """
    if tokens > 1:
        return 1
    divisors = [n for n in range(2, _LARGEST_GROUP + 1) if sequences % n == 0]
    return min(divisors, key=lambda n: abs(n - _GROUP_SLOTS), default=sequences)


def _point(weight: Tensor, stack: Stack, offset: int) -> None:
    """Let a weight begin `offset` bytes into a stack."""
    weight.data = stack.address + offset
    if stack.buffer:
        weight.buffer, weight.view_src, weight.extra = stack.buffer, None, None


def _rows(tensor: Tensor) -> int:
    return int(tensor.ne[1] * tensor.ne[2] * tensor.ne[3])


def _shape(tensor: Tensor, item_bytes: int, shape: Sequence[int]) -> None:
    """Give a tensor a contiguous shape of up to four dimensions, innermost first."""
    sizes = (*shape, *(1,) * (4 - len(shape)))
    tensor.ne[:] = sizes
    first = item_bytes
    second = first * sizes[0]
    third = second * sizes[1]
    tensor.nb[:] = (first, second, third, third * sizes[2])


def _view(view: Tensor, source: Address, shape: Sequence[int]) -> None:
    """Make `view` the F32 tensor at `source` in another contiguous shape."""
    ctypes.memmove(ctypes.addressof(view), source, ctypes.sizeof(Tensor))
    _shape(view, _FLOAT_BYTES, shape)
