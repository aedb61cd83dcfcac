"""The figures of a base that its memory depends on, read from the header of its GGUF.

Widths are taken from the tensors where these say them: the metadata of some architectures gives a
list, one number per layer, and HeaderReader reads no lists.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gguf import GGMLQuantizationType

from npc_server.engine.errors import ModelLoadError
from npc_server.engine.gguf_header import UNREADABLE, HeaderReader
from npc_server.engine.lora.lora_gguf import linear_shapes

_FLOATS = {
    GGMLQuantizationType.F32,
    GGMLQuantizationType.F16,
    GGMLQuantizationType.BF16,
    GGMLQuantizationType.F64,
}
_LAYER = re.compile(r"blk\.(\d+)\.(.+)")


@dataclass(frozen=True)
class LayerFigures:
    """One layer. Widths are numbers per token."""

    weight_bytes: int
    k_width: int  # 0 = the layer keeps no keys
    v_width: int
    adapted_width: int  # inputs and outputs of the linears that adapters adapt, in all


@dataclass(frozen=True)
class BaseFigures:
    """A base. Widths are numbers per token."""

    layers: tuple[LayerFigures, ...]
    input_bytes: int  # the table of token embeddings, which the CPU reads
    output_bytes: int  # the final norm and the head
    tied: bool  # the head is the table, which a GPU then holds once more
    width: int
    feed_forward: int  # of the widest layer, in all experts that a token meets
    fused: bool  # gate and up are one weight
    vocabulary: int
    head_width: int  # of keys; a row of keys is cut into blocks of a quantized type head by head
    windowed: bool  # some layers see a window only, which takes a mask of its own
    quantized: bool  # the linears that adapters adapt, or some of them

    @property
    def adapter_bits(self) -> int:
        """Bits of adapters on the CPU; fewer where a base rounds more than that loses."""
        return 8 if self.quantized else 16

    @property
    def weight_bytes(self) -> int:
        """All weights, as the file holds them."""
        return self.input_bytes + self.output_bytes + sum(x.weight_bytes for x in self.layers)


def read_figures(path: Path) -> BaseFigures:
    """Read the header of a GGUF. Raises ModelLoadError."""
    try:
        header = _Header(path)
        if not header.has_weights:
            raise ModelLoadError(f"{path} holds no weights: it is a vocabulary alone")
        return header.figures
    except UNREADABLE as error:
        raise ModelLoadError(f"{path} is no readable GGUF file: {error}") from error


class _Header:
    """A header, with its tensors by layer and by the rest of their name."""

    def __init__(self, path: Path) -> None:
        reader = HeaderReader(path)
        self._linears = linear_shapes(path)
        self._reader = reader
        self._architecture = reader.text("general.architecture") or ""
        self._outside: dict[str, Any] = {}
        self._layers: defaultdict[int, dict[str, Any]] = defaultdict(dict)
        for tensor in reader.tensors:
            found = _LAYER.fullmatch(tensor.name)
            if found:
                self._layers[int(found[1])][found[2]] = tensor
            else:
                self._outside[tensor.name] = tensor

    @property
    def has_weights(self) -> bool:
        """Whether there is anything to compute with."""
        return bool(self._outside or self._layers)

    @property
    def figures(self) -> BaseFigures:
        """All of them."""
        table = self._outside["token_embd.weight"]
        everything = sum(int(tensor.n_bytes) for tensor in self._outside.values())
        return BaseFigures(
            layers=tuple(self._layer(i) for i in range(self._count)),
            input_bytes=int(table.n_bytes),
            output_bytes=everything - int(table.n_bytes),
            tied="output.weight" not in self._outside,
            width=int(table.shape[0]),
            feed_forward=max(map(self._feed_forward, self._layers.values())),
            fused=any(_is_fused(layer) for layer in self._layers.values()),
            vocabulary=int(table.shape[1]),
            head_width=self._head_width,
            windowed=self._number("attention.sliding_window") > 0,
            quantized=any(self._is_quantized(tensor) for tensor in self._reader.tensors),
        )

    def _is_quantized(self, tensor: Any) -> bool:
        return tensor.name in self._linears and tensor.tensor_type not in _FLOATS

    @property
    def _count(self) -> int:
        return max(self._layers) + 1

    def _number(self, key: str) -> int:
        return int(self._reader.number(f"{self._architecture}.{key}") or 0)

    @cached_property
    def _head_width(self) -> int:
        width, heads = self._number("embedding_length"), self._number("attention.head_count")
        return self._number("attention.key_length") or width // max(heads, 1)

    def _layer(self, index: int) -> LayerFigures:
        tensors = self._layers[index]
        k, v = self._kv_widths(tensors)
        prefix = f"blk.{index}."
        adapted = [sum(x) for name, x in self._linears.items() if name.startswith(prefix)]
        weights = sum(int(tensor.n_bytes) for tensor in tensors.values())
        return LayerFigures(weights, k, v, sum(adapted))

    def _kv_widths(self, tensors: Mapping[str, Any]) -> tuple[int, int]:
        if latent := tensors.get("attn_kv_a_mqa.weight"):  # DeepSeek: keys and values in one
            return int(latent.shape[1]), 0
        if keys := tensors.get("attn_k.weight"):
            values = tensors.get("attn_v.weight") or keys  # some layers of Gemma reuse the keys
            return int(keys.shape[1]), int(values.shape[1])
        if "attn_qkv.weight" not in tensors:
            return 0, 0
        heads = self._number("attention.head_count_kv") or self._number("attention.head_count")
        return heads * self._head_width, heads * (
            self._number("attention.value_length") or self._head_width
        )

    def _feed_forward(self, tensors: Mapping[str, Any]) -> int:
        dense, experts = tensors.get("ffn_down.weight"), tensors.get("ffn_down_exps.weight")
        met = int(experts.shape[0]) * self._number("expert_used_count") if experts else 0
        return max(int(dense.shape[0]) if dense else 0, met)


def _is_fused(tensors: Mapping[str, Any]) -> bool:
    up, down = tensors.get("ffn_up.weight"), tensors.get("ffn_down.weight")
    return up is not None and down is not None and int(up.shape[1]) == 2 * int(down.shape[0])
