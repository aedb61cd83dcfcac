"""Every row of a batch under its own adapter, in one decode of the stock library.

llama.cpp applies a LoRA to all rows of a batch: for each adapted linear its graph holds A·x,
B·(A·x), a scaling, and the addition to W·x. An adapter of zeros, set once, makes it build those
nodes. The callback that sees each node before it is computed then points the first two at our
slots (`SlotArena`), without adding a node:

  A·x   becomes a batched product: rows of sequence i meet slot i alone.
  B·h   becomes a batched outer product, which adds up the columns of B, each as often as the entry
        of h says. A product of rows would be one over `rank` numbers only, for which ggml has no
        fast kernel. Where rows and threads do not come out even, the outputs are shared out.

Slots in the memory of a device (`DeviceSlots`) have B as llama.cpp has it, in F16, and B·h becomes
a batched product like A·x: devices take small products well.

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

from npc_server.engine.errors import DecodeError, MixingUnavailableError
from npc_server.engine.lora.ggml import (
    F32,
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


@dataclass(frozen=True)
class Tile:
    """The rows of one decode: `tokens` each of `sequences` neighbours, sequence by sequence."""

    first: int
    sequences: int
    tokens: int
    uniform: bool  # one adapter for all, the one in the first slot


@dataclass
class _Linear:
    """One adapted linear, and the tensors of ours that its nodes are pointed at."""

    slots: LinearSlots
    a: Tensor = field(default_factory=Tensor)
    b: Tensor = field(default_factory=Tensor)
    x: Tensor = field(default_factory=Tensor)  # the input of A, seen by sequence
    h: Tensor = field(default_factory=Tensor)  # the input of B, seen by sequence
    node_x: Address = 0  # as built
    node_h: Address = 0


class Mixer:
    """Rewrites the LoRA nodes of one context for the tile that is about to be computed."""

    def __init__(self, arena: Slots, threads: int, hook: NodeHook | None = None) -> None:
        self._graph = Graph()
        self._memory = TensorMemory()
        self._arena = arena
        self._threads = threads
        self._linears = {name: _Linear(slots) for name, slots in arena.linears.items()}
        self._known: dict[Address, tuple[_Linear, str] | None] = {}  # by weight of a product
        self._scaled: set[Address] = set()  # results of B whose scaling comes next
        self._mat_mul = self._graph.operation["MUL_MAT"]
        self._out_prod = self._graph.operation["OUT_PROD"]
        self._scale = self._graph.operation["SCALE"]
        self._none = self._graph.operation["NONE"]
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
        if operation in (self._mat_mul, self._out_prod):
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
            linear.node_x = node.src[1]
        sequences, tokens = self._rows_by_slot(_rows(Tensor.from_address(linear.node_x)))
        rank, columns = self._arena.rank, linear.slots.columns
        slot_bytes = rank * columns * _HALF_BYTES
        _point(linear.a, linear.slots.a_stack, self._tile.first * slot_bytes)
        _shape(linear.a, _HALF_BYTES, (columns, rank, sequences))
        _view(linear.x, linear.node_x, (columns, tokens, sequences))
        _shape(node, _FLOAT_BYTES, (rank, tokens, sequences))
        node.src[0], node.src[1] = ctypes.addressof(linear.a), ctypes.addressof(linear.x)

    def _rewrite_b(self, node: Tensor, linear: _Linear) -> None:
        if node.src[0] != ctypes.addressof(linear.b):
            linear.node_h = node.src[1]
            self._scaled.add(ctypes.addressof(node))
        sequences, tokens = self._rows_by_slot(_rows(Tensor.from_address(linear.node_h)))
        shape_of_b = self._shape_columns if linear.slots.b_in_columns else self._shape_rows
        shape_of_b(node, linear, sequences, tokens)
        node.src[0], node.src[1] = ctypes.addressof(linear.b), ctypes.addressof(linear.h)

    def _shape_rows(self, node: Tensor, linear: _Linear, sequences: int, tokens: int) -> None:
        """Make B·h a product of rows of B, [slots, rows, rank] in F16."""
        rank, outputs = self._arena.rank, linear.slots.rows
        _point(linear.b, linear.slots.b_stack, self._tile.first * rank * outputs * _HALF_BYTES)
        _shape(linear.b, _HALF_BYTES, (rank, outputs, sequences))
        _view(linear.h, linear.node_h, (rank, tokens, sequences))
        _shape(node, _FLOAT_BYTES, (outputs, tokens, sequences))

    def _shape_columns(self, node: Tensor, linear: _Linear, sequences: int, tokens: int) -> None:
        """Make B·h a sum of columns of B, [slots, rank, rows] in F32."""
        rank, outputs = self._arena.rank, linear.slots.rows
        row_bytes, wide = outputs * _FLOAT_BYTES, rank * _FLOAT_BYTES
        parts = self._parts(sequences * tokens, outputs)
        part = outputs // parts
        _point(linear.b, linear.slots.b_stack, self._tile.first * rank * row_bytes)
        linear.b.type = F32
        linear.b.ne[:] = (part, rank, sequences, parts)
        linear.b.nb[:] = (_FLOAT_BYTES, row_bytes, rank * row_bytes, part * _FLOAT_BYTES)
        _view(linear.h, linear.node_h, (tokens, rank, sequences, parts))
        linear.h.nb[:] = (wide, _FLOAT_BYTES, tokens * wide, 0)
        node.op = self._out_prod
        node.ne[:] = (part, tokens, sequences, parts)
        node.nb[:] = (_FLOAT_BYTES, row_bytes, tokens * row_bytes, part * _FLOAT_BYTES)

    def _drop_scaling(self, node: Tensor) -> None:
        source = node.src[0]
        if source not in self._scaled:
            return
        self._scaled.discard(source)
        result = Tensor.from_address(source)
        if (node.data, node.buffer) != (result.data, result.buffer):
            raise MixingUnavailableError("llama.cpp scales an adapter's result out of place")
        node.op = self._none

    def _rows_by_slot(self, rows: int) -> tuple[int, int]:
        """(slots, rows of each) of a product with this many rows."""
        tile = self._tile
        if tile.uniform or rows == 0:
            return 1, rows
        tokens, rest = divmod(rows, tile.sequences)
        if rest or tokens not in (1, tile.tokens):
            raise MixingUnavailableError(f"a product has {rows} rows where {tile} runs")
        return tile.sequences, tokens

    def _parts(self, rows: int, outputs: int) -> int:
        """In how many parts outputs are computed: ggml shares whole rows out among threads."""
        even = rows % self._threads == 0 or outputs % self._threads != 0
        return 1 if even else self._threads


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
