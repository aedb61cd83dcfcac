"""Every row of a batch under its own adapter, in one decode of the stock library.

llama.cpp applies a LoRA to all rows of a batch: for each adapted linear its graph holds A·x,
B·(A·x), a scaling, and the addition to W·x. An adapter of zeros, set once, makes it build those
nodes. The callback that sees each node before it is computed then has them read our slots, without
adding a node: `host_products` on the CPU, `device_products` elsewhere.

A graph stays as rewritten while llama.cpp reuses it, and the callback is detached for those steps:
no Python runs inside them. Exceptions cannot leave a callback; they are kept and raised by `check`
after the step.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from npc_server.engine.errors import DecodeError
from npc_server.engine.lora.device_products import DeviceProducts
from npc_server.engine.lora.device_slots import DeviceSlots
from npc_server.engine.lora.ggml import OP_OFFSET, Address, Graph, NodeHook
from npc_server.engine.lora.host_products import HostProducts
from npc_server.engine.lora.products import Products, Side, Tile
from npc_server.engine.lora.slots import SlotArena


class Mixer:
    """Rewrites the LoRA nodes of one context for the tile that is about to be computed."""

    def __init__(self, arena: SlotArena | DeviceSlots, hook: NodeHook | None = None) -> None:
        self._graph = Graph()
        self._products = _products(arena, self._graph)
        self._none = self._graph.operation["NONE"]
        self._tile = Tile(0, 1, 1, uniform=True)
        self._routed: Tile | None = None
        self._error: Exception | None = None
        self._paused = False
        self._rewritten = Counter[Side]()  # products, in the decode under way
        self._adapted = Counter[Side]()  # those that a decode must rewrite: as the first one did
        self._hook = hook or NodeHook()
        self._hook.look = self._look
        self.callback = self._hook.callback

    def route(self, context: Any, tile: Tile) -> None:
        """Prepare the next decode, whose rows must be exactly those of `tile`."""
        self._tile, self._rewritten = tile, Counter()
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
            raise DecodeError(f"adapters could not be mixed: {error}") from error
        self._require_all()

    def _require_all(self) -> None:
        """Raise DecodeError if a graph hid a product of adapters: it ran with the carrier's."""
        found = self._rewritten
        if not found:  # the graph is reused as it was rewritten
            return
        self._adapted = self._adapted or found
        if found != self._adapted or found[Side.A] != found[Side.B]:
            self._routed = None
            wanted = max(self._adapted.total(), 2 * found[Side.A])
            raise DecodeError(f"the graph showed {found.total()} of {wanted} products of adapters")

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
                if side := self._products.rewrite(node, self._tile):
                    self._rewritten[side] += 1
            except Exception as error:  # ctypes would print it and go on
                self._error = error
        if self._error is not None:
            # Half-written nodes must not be computed: ggml aborts the process over odd shapes.
            ctypes.c_int.from_address(node + OP_OFFSET).value = self._none
        return False  # never ask to see a result: that would split the computation


def _products(arena: SlotArena | DeviceSlots, graph: Graph) -> Products:
    """How products read these slots."""
    if isinstance(arena, SlotArena):
        return HostProducts(arena, graph.operation)
    return DeviceProducts(arena, graph.operation)
