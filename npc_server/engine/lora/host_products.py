"""Products with slots in memory of the host: they become calls of our own kernels.

A·x keeps its node. B·h is added to W·x as it is computed, in the node of that addition; the nodes
of B·h and of its scaling do nothing any more.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.lora.fixed_point import LANES
from npc_server.engine.lora.ggml import (
    F32,
    OP_OFFSET,
    Address,
    Tensor,
    TensorMemory,
    customize,
)
from npc_server.engine.lora.kernels import CHAINS, Product, kernels
from npc_server.engine.lora.products import Carried, Side, Tile, rows_of
from npc_server.engine.lora.slots import HostLinear, SlotArena

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class _Linear:
    """One adapted linear, and what the kernels read of it in every step."""

    slots: HostLinear
    a: Product = field(default_factory=Product)
    b: Product = field(default_factory=Product)


class HostProducts:
    """Products of a base whose layers the CPU computes. Raises MixingUnavailableError."""

    def __init__(self, arena: SlotArena, operation: Mapping[str, int]) -> None:
        self._arena = arena
        self._linears = {name: _Linear(slots) for name, slots in arena.linears.items()}
        self._carried = Carried(arena.linears)
        self._memory = TensorMemory()
        self._kernels = kernels(arena.bits)
        self._none, self._custom = operation["NONE"], operation["CUSTOM"]
        self._multiplies = {operation["MUL_MAT"], self._custom}
        self._adds = {operation["ADD"], self._custom}
        self._scale = operation["SCALE"]
        for name, slots in arena.linears.items():
            _require_sizes(name, slots)

    def rewrite(self, address: Address, tile: Tile) -> Side | None:
        """Have a kernel compute a node, or nobody."""
        operation = ctypes.c_int.from_address(address + OP_OFFSET).value
        node = Tensor.from_address(address)
        if operation in self._multiplies and (known := self._carried.find(node.src[0])):
            name, side = known
            if side is Side.A:
                self._shrink(node, self._linears[name], tile)
                return side
            node.op = self._none
        elif operation == self._scale and self._linear_of_b(node.src[0]):
            node.op = self._none
        elif operation in self._adds and (linear := self._linear_of_scaled(node.src[1])):
            self._expand(node, linear, tile)
            return Side.B
        return None

    def _linear_of_scaled(self, address: Address | None) -> _Linear | None:
        """The linear whose B·h, scaled, a tensor was built to be."""
        scaled = Tensor.from_address(address) if address else None
        return (
            self._linear_of_b(scaled.src[0])
            if scaled is not None and scaled.op == self._none
            else None
        )

    def _linear_of_b(self, address: Address | None) -> _Linear | None:
        """The linear whose B·h a tensor was built to be."""
        product = Tensor.from_address(address) if address else None
        known = self._carried.find(product.src[0]) if product is not None else None
        return self._linears[known[0]] if known and known[1] is Side.B else None

    def _shrink(self, node: Tensor, linear: _Linear, tile: Tile) -> None:
        self._require_host(node)
        source, given, slots = Tensor.from_address(node.src[1]), linear.a, linear.slots
        _describe(given, source, node, tile)
        given.matrix, given.width = _slot(slots.a, tile.first), slots.columns
        self._give_slots(given, slots, tile)
        customize(node, self._custom, self._kernels.shrink, ctypes.addressof(given))

    def _expand(self, node: Tensor, linear: _Linear, tile: Tile) -> None:
        product = Tensor.from_address(Tensor.from_address(node.src[1]).src[0])
        source, given, slots = Tensor.from_address(product.src[1]), linear.b, linear.slots
        addend = Tensor.from_address(node.src[0])
        _describe(given, source, node, tile)
        _require_rows(addend)
        given.addend = addend.data
        given.matrix, given.width = _slot(slots.b, tile.first), slots.rows
        self._give_slots(given, slots, tile)
        customize(node, self._custom, self._kernels.expand, ctypes.addressof(given))

    def _give_slots(self, given: Product, linear: HostLinear, tile: Tile) -> None:
        given.scale, given.ranks = _slot(linear.scale, tile.first), _slot(linear.ranks, tile.first)
        given.rank = self._arena.rank

    def _require_host(self, node: Tensor) -> None:
        """Raise MixingUnavailableError where a device computes a node."""
        weight = Tensor.from_address(node.src[0])
        if not self._memory.is_host(weight.buffer):
            held = self._memory.name(weight.buffer)
            name = weight.name.decode("utf-8", "replace")
            raise MixingUnavailableError(f"{name} is computed in {held}, not in host memory")


def _require_sizes(name: str, linear: HostLinear) -> None:
    if linear.columns % CHAINS or linear.rows % LANES:
        raise MixingUnavailableError(
            f"{name} has {linear.columns} inputs and {linear.rows} outputs, not multiples of"
            f" {CHAINS} and {LANES}"
        )


def _describe(given: Product, source: Tensor, target: Tensor, tile: Tile) -> None:
    """Say what goes in and out, and which rows belong to which slot."""
    _require_rows(source)
    _require_rows(target)
    given.slots, given.tokens = tile.rows_by_slot(rows_of(source))
    given.source, given.target = source.data, target.data


def _require_rows(tensor: Tensor) -> None:
    """Raise MixingUnavailableError unless a tensor is floats, row by row without gaps."""
    row, size = tensor.ne[0] * _FLOAT_BYTES, tensor.ne[1]
    strides = (_FLOAT_BYTES, row, row * size, row * size * tensor.ne[2])
    if tensor.type != F32 or tuple(tensor.nb) != strides:
        raise MixingUnavailableError("an operand of a product of adapters is not plain rows")


def _slot(stack: npt.NDArray[np.generic], slot: int) -> Address:
    return int(stack.ctypes.data + slot * stack.strides[0])
