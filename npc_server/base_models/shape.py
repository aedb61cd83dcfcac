"""The figures of a base that is not here yet, as its publisher states them.

Of a file that is here the header tells the same, and more exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npc_server.engine.base_figures import BaseFigures


@dataclass(frozen=True)
class Shape:
    """Layers and widths of a dense transformer whose head is the table of its embeddings."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int
    windowed: bool = False  # some layers see a window only
    fused: bool = False  # gate and up are one weight, and so are q, k and v

    @property
    def weights(self) -> int:
        """How many there are, norms left out."""
        return self.layers * self._layer_weights + self.vocabulary * self.width

    @property
    def _layer_weights(self) -> int:
        attention = self.width * 2 * (self.heads + self.kv_heads) * self.head_width
        return attention + 3 * self.width * self.feed_forward

    @property
    def _adapted_width(self) -> int:
        """Inputs and outputs of the linears of a layer."""
        q, kv = self.heads * self.head_width, self.kv_heads * self.head_width
        inputs = (2 if self.fused else 5) * self.width + q + self.feed_forward
        return inputs + q + 2 * kv + 2 * self.width + 2 * self.feed_forward

    def figures(self, file_bytes: int) -> BaseFigures:
        """The same for the engine's planning; every weight takes as much of the file."""
        # Commands that plan nothing go without what reads GGUFs and adapters.
        from npc_server.engine.base_figures import BaseFigures, LayerFigures

        kv = self.kv_heads * self.head_width
        layer_bytes = file_bytes * self._layer_weights // self.weights
        layer = LayerFigures(layer_bytes, kv, kv, self._adapted_width)
        return BaseFigures(
            layers=(layer,) * self.layers,
            input_bytes=file_bytes - self.layers * layer_bytes,
            output_bytes=0,
            tied=True,
            width=self.width,
            feed_forward=self.feed_forward,
            fused=self.fused,
            vocabulary=self.vocabulary,
            head_width=self.head_width,
            windowed=self.windowed,
            quantized=True,
        )
