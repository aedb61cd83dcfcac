"""Products with slots in the memory of devices: they become batched products, a slot a batch.

Kernels of GPUs take one small product per sequence well, so nothing but shapes and addresses
changes: rows of sequence i meet the matrix of slot i alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.lora.device_slots import DeviceSlots
from npc_server.engine.lora.ggml import (
    OP_OFFSET,
    Address,
    Tensor,
    TensorMemory,
    copy_of,
    weight_name,
)
from npc_server.engine.lora.products import Carried, Side, Tile, rows_of

_HALF_BYTES = 2
_FLOAT_BYTES = 4


class DeviceProducts:
    """Products of a base whose layers devices compute."""

    def __init__(self, slots: DeviceSlots, operation: Mapping[str, int]) -> None:
        self._slots = slots
        self._memory = TensorMemory()
        self._carried = Carried(slots.linears)
        self._products: dict[Address, _Product] = {}  # by weight, the carrier's or ours
        self._none, self._mat_mul = operation["NONE"], operation["MUL_MAT"]
        self._scale = operation["SCALE"]

    def rewrite(self, address: Address, tile: Tile) -> Side | None:
        """Point a product at the slots of the tile, and leave out its scaling."""
        operation = ctypes.c_int.from_address(address + OP_OFFSET).value
        if operation == self._mat_mul:
            node = Tensor.from_address(address)
            if product := self._product_of(node.src[0]):
                product.rewrite(node, tile)
                return product.side
        elif operation == self._scale:
            self._drop_scaling(Tensor.from_address(address))
        return None

    def _product_of(self, weight: Address) -> _Product | None:
        """The product with a weight of the carrier, or with ours, which takes its place."""
        if weight not in self._products and (known := self._carried.find(weight)):
            product = self._product(*known, Tensor.from_address(weight))
            self._products[weight] = self._products[ctypes.addressof(product.weight)] = product
        return self._products.get(weight)

    def _product(self, name: str, side: Side, weight: Tensor) -> _Product:
        linear = self._slots.linears[name]
        stack = linear.a_tensor if side is Side.A else linear.b_tensor
        if not self._memory.same_kind(weight.buffer, stack.buffer):
            raise MixingUnavailableError(
                f"{weight_name(weight)} is computed in {self._memory.name(weight.buffer)},"
                f" not in {self._memory.name(stack.buffer)}"
            )
        return _Product(side, stack, copy_of(weight))

    def _drop_scaling(self, node: Tensor) -> None:
        result = Tensor.from_address(node.src[0])
        product = self._products.get(result.src[0])
        if product is None or product.side is not Side.B:
            return
        if (node.data, node.buffer) != (result.data, result.buffer):
            raise MixingUnavailableError("llama.cpp scales an adapter's result out of place")
        node.op = self._none


@dataclass
class _Product:
    side: Side
    stack: Tensor  # [slots, outputs, inputs]
    weight: Tensor  # the slots of a tile, in the place of the carrier's weight
    source: Tensor = field(default_factory=Tensor)  # the input, seen by sequence
    built: Address = 0  # the input as built

    def rewrite(self, node: Tensor, tile: Tile) -> None:
        """Make a node one product per slot."""
        if node.src[0] != ctypes.addressof(self.weight):  # as built: remember what is overwritten
            self.built = node.src[1]
        slots, tokens = tile.rows_by_slot(rows_of(Tensor.from_address(self.built)))
        inputs, outputs = self.stack.ne[0], self.stack.ne[1]
        self.weight.data = self.stack.data + tile.first * self.stack.nb[2]
        self.weight.buffer, self.weight.view_src = self.stack.buffer, None
        self.weight.extra = None
        _shape(self.weight, _HALF_BYTES, (inputs, outputs, slots))
        _view(self.source, self.built, (inputs, tokens, slots))
        _shape(node, _FLOAT_BYTES, (outputs, tokens, slots))
        node.src[0], node.src[1] = ctypes.addressof(self.weight), ctypes.addressof(self.source)


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
