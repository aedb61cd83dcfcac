"""The figures of a base that memory depends on, as its publisher or its GGUF states them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """Layers and widths of a transformer."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int

    @property
    def kv_width(self) -> int:
        """Keys and values of one token in one layer."""
        return 2 * self.kv_heads * self.head_width

    @property
    def adapted_columns(self) -> int:
        """Inputs of all linears of a layer that an adapter adapts."""
        return 5 * self.width + self.heads * self.head_width + self.feed_forward

    @property
    def adapted_rows(self) -> int:
        """Their outputs."""
        attention = self.heads * self.head_width + self.kv_width
        return attention + 2 * self.width + 2 * self.feed_forward

    @property
    def weights(self) -> int:
        """How many there are, norms left out, embeddings once."""
        attention = self.width * (2 * self.heads * self.head_width + self.kv_width)
        layer = attention + 3 * self.width * self.feed_forward
        return self.layers * layer + self.vocabulary * self.width
