"""Slots in the memory of the devices that compute the layers, where that is not the host's.

They are written through ggml, which knows how to reach any device. B is kept as llama.cpp has it,
for products like those of A: kernels of GPUs take one small product per sequence well. Each
linear's slots lie in the kind of memory that llama.cpp has put its adapter in, so a base that is
split between devices, or with the CPU, mixes as well.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from npc_server.engine.lora.ggml import Address, Tensor, TensorMemory, copy_of
from npc_server.engine.lora.half_lora import Half, HalfLora
from npc_server.engine.lora.slots import MAY_LOSE, Lora

_ITEM_BYTES = 2


@dataclass(frozen=True)
class CarrierWeights:
    """Where llama.cpp keeps the carrier's two weights of a linear."""

    a: Tensor
    b: Tensor


@dataclass(frozen=True)
class DeviceLinear:
    """All slots of one linear."""

    columns: int
    rows: int
    a_tensor: Tensor  # [slots, rank, columns]
    b_tensor: Tensor  # [slots, rows, rank]


class DeviceSlots:
    """Slots for `slots` adapters of the carrier's rank.

    `settle` waits until the devices have computed what they were given: a slot must not be
    written under a step that reads it.
    """

    def __init__(
        self,
        carrier: Mapping[str, CarrierWeights],
        slots: int,
        settle: Callable[[], None],
    ) -> None:
        self._memory = TensorMemory()
        self._settle = settle
        self.slots = slots
        self.may_lose = MAY_LOSE
        self.rank = next(iter(carrier.values())).a.ne[1]
        self.linears = {name: _linear(weights, slots) for name, weights in carrier.items()}
        self.sizes = {name: (one.columns, one.rows) for name, one in self.linears.items()}
        buffers = list(self._place(carrier))
        weakref.finalize(self, _free, self._memory, buffers).atexit = False  # devices go first

    def form_of(self, lora: HalfLora) -> HalfLora:
        """An adapter in 16 bits, as it is."""
        return lora

    def load(self, slot: int, lora: Lora, scale: float = 1.0) -> None:
        """Copy an adapter into a slot, `scale` times as strong."""
        assert isinstance(lora, HalfLora)  # as `form_of` has made it
        self._settle()
        for name, linear in self.linears.items():
            a, b = lora.a.get(name), lora.b.get(name)
            if a is None or b is None:
                self._write(linear.b_tensor, slot, self._no_b(linear))
            else:
                strong = b if scale == 1.0 else b * np.float16(scale)
                missing = self.rank - lora.rank
                self._write(linear.a_tensor, slot, np.pad(a, ((0, missing), (0, 0))))
                self._write(linear.b_tensor, slot, np.pad(strong.T, ((0, 0), (0, missing))))

    def clear(self, slot: int) -> None:
        """Make a slot the bare base: with B zero, whatever A holds adds nothing."""
        self._settle()
        for linear in self.linears.values():
            self._write(linear.b_tensor, slot, self._no_b(linear))

    def copy(self, source: int, target: int) -> None:
        """Make `target` hold what `source` holds."""
        self._settle()
        for linear in self.linears.values():
            for stack in (linear.a_tensor, linear.b_tensor):
                self._memory.copy(_slot_of(stack, source), _slot_of(stack, target))

    def _write(self, stack: Tensor, slot: int, values: Half) -> None:
        self._memory.write(stack, values, slot * stack.nb[2])

    def _no_b(self, linear: DeviceLinear) -> Half:
        return np.zeros((linear.rows, self.rank), np.float16)

    def _place(self, carrier: Mapping[str, CarrierWeights]) -> Iterator[Address]:
        """Give every stack a place in a buffer of its device; yields the buffers."""
        stacks = [
            (tensor, beside.buffer)
            for name, linear in self.linears.items()
            for tensor, beside in (
                (linear.a_tensor, carrier[name].a),
                (linear.b_tensor, carrier[name].b),
            )
        ]
        for beside, run in groupby(sorted(stacks, key=_buffer_of), key=_buffer_of):
            for part in _parts([tensor for tensor, _ in run], self._memory.most_bytes(beside)):
                yield self._memory.place(part, beside)


def _buffer_of(stack: tuple[Tensor, Address]) -> Address:
    return stack[1]


def _linear(weights: CarrierWeights, slots: int) -> DeviceLinear:
    columns, rank, rows = weights.a.ne[0], weights.a.ne[1], weights.b.ne[1]
    return DeviceLinear(
        columns,
        rows,
        _stack_like(weights.a, (columns, rank, slots)),
        _stack_like(weights.b, (rank, rows, slots)),
    )


def _stack_like(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor of the type of `weight` in another shape, which lies nowhere yet."""
    stack = Tensor(type=weight.type, name=weight.name)
    stack.ne[:] = (*shape, 1)
    row = shape[0] * _ITEM_BYTES
    stack.nb[:] = (_ITEM_BYTES, row, row * shape[1], row * shape[1] * shape[2])
    return stack


def _slot_of(stack: Tensor, slot: int) -> Tensor:
    """One slot of a stack, as a tensor in the same place."""
    part = copy_of(stack)
    part.ne[2] = 1
    part.nb[3] = stack.nb[2]
    part.data = stack.data + slot * stack.nb[2]
    return part


def _parts(stacks: Sequence[Tensor], most_bytes: int) -> Iterator[list[Tensor]]:
    """Runs of stacks that one buffer can hold."""
    part: list[Tensor] = []
    held = 0
    for stack in stacks:
        if part and held + stack.nb[3] > most_bytes:
            yield part
            part, held = [], 0
        part.append(stack)
        held += stack.nb[3]
    if part:
        yield part


def _free(memory: TensorMemory, buffers: Sequence[Address]) -> None:
    for buffer in buffers:
        memory.free(buffer)
