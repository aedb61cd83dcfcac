"""The two products of an adapted linear in a graph, and how rows of the batch meet their slots.

llama.cpp adds to W·x an adapter's B·(A·x), scaled by 1. Here the carrier's weights stand for the
adapter's. What becomes of these nodes depends on where the slots lie: `host_products`,
`device_products`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from npc_server.engine.errors import MixingUnavailableError
from npc_server.engine.lora.ggml import Address, Tensor, weight_name


class Side(StrEnum):
    """Which of the two."""

    A = "a"
    B = "b"


@dataclass(frozen=True)
class Tile:
    """The rows of one decode: `tokens` each of `sequences` neighbours, sequence by sequence."""

    first: int
    sequences: int
    tokens: int
    uniform: bool  # one adapter for all, the one in the first slot

    def rows_by_slot(self, rows: int) -> tuple[int, int]:
        """(slots, rows of each) of a product with this many rows."""
        if self.uniform or rows == 0:
            return 1, rows
        tokens, rest = divmod(rows, self.sequences)
        if rest or tokens not in (1, self.tokens):
            raise MixingUnavailableError(f"a product has {rows} rows where {self} runs")
        return self.sequences, tokens


class Products(Protocol):
    """Rewrites the nodes of graphs to read the slots."""

    def rewrite(self, node: Address, tile: Tile) -> Side | None:
        """Rewrite a node about to be computed; the product that it now makes, if any.

        Nodes come in the order of the graph, also those that were rewritten before, for another
        tile. Raises MixingUnavailableError.
        """
        ...


class Carried:
    """The weights of the carrier, by address."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._known: dict[Address, tuple[str, Side] | None] = {}

    def find(self, weight: Address | None) -> tuple[str, Side] | None:
        """The linear and the side that a tensor is the carrier's weight of; None = neither."""
        if not weight:
            return None
        if weight not in self._known:
            name, _, side = weight_name(Tensor.from_address(weight)).rpartition(".lora_")
            self._known[weight] = (name, Side(side)) if name in self._names else None
        return self._known[weight]


def rows_of(tensor: Tensor) -> int:
    """Rows of a tensor, over all its dimensions."""
    return int(tensor.ne[1] * tensor.ne[2] * tensor.ne[3])
