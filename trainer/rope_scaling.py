"""How llama.cpp scales a base's rotary positions, in terms that transformers computes the same.

Whatever the kind (linear, YaRN, the factors of Llama 3, LongRoPE), llama.cpp divides the frequency
of every pair of dimensions by a number of its own and multiplies the rotated vectors by one more.
transformers' LongRoPE takes just such numbers, so all kinds become that. LongRoPE has two lists of
factors, and llama.cpp uses the long one at every position once its context is longer than what the
model was trained on; so does training.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from npc_server.engine.gguf_header import UNREADABLE, HeaderReader
from npc_server.engine.model_file import ROPE_SCALINGS
from trainer.errors import BaseModelError

#: Architectures whose layers all rotate alike, by one table of frequencies in transformers.
_ONE_TABLE = (
    "llama",
    "qwen2",
    "qwen3",
    "qwen2moe",
    "qwen3moe",
    "phi3",
    "gemma2",
    "smollm3",
    "mistral3",
)
#: Those whose layers with a window rotate by a plain table of their own. A linear scaling leaves
#: that one alone; YaRN does not, and is refused.
_TWO_TABLES = ("gemma3",)
_BETA_FAST, _BETA_SLOW = 32.0, 1.0  # of YaRN; all but Ministral 3 read no others
_READS_BETAS = ("mistral3",)
_CONTEXT_UNIT = 256  # llama.cpp rounds the context of a sequence up to a multiple of it
_FREQS = "rope_freqs.weight"
_SHORT, _LONG = "rope_factors_short.weight", "rope_factors_long.weight"


@dataclass(frozen=True)
class RopeScaling:
    """What every frequency is divided by, and what the rotated vectors are multiplied by."""

    factors: tuple[float, ...]  # by pair of dimensions
    magnitude: float
    rotated_share: float = 1.0  # of a head's dimensions

    @property
    def tag(self) -> str:
        """Names the scaling in a folder's name; "" = nothing is scaled."""
        plain = self.magnitude == 1 and self.rotated_share == 1 and set(self.factors) <= {1.0}
        return "" if plain else "-" + hashlib.sha256(repr(self).encode()).hexdigest()[:8]

    def parameters(self, theta: float, positions: int) -> dict[str, Any]:
        """The same as `rope_parameters` of a transformers config."""
        return {
            "rope_type": "longrope",
            "rope_theta": theta,
            "short_factor": list(self.factors),
            "long_factor": list(self.factors),
            "factor": 1.0,
            "attention_factor": self.magnitude,
            "original_max_position_embeddings": positions,
            "partial_rotary_factor": self.rotated_share,
        }


def read_rope_scaling(gguf: Path, context_tokens: int = 0) -> RopeScaling:
    """The scaling of a base served with this context per turn; 0 = within what it was trained on.

    Raises BaseModelError for a kind, or an architecture with a scaling, that cannot be trained on.
    """
    header = _header(gguf)
    scaling = _Metadata(header, context_tokens).scaling()
    architecture = header.text("general.architecture")
    kind = header.text(f"{architecture}.rope.scaling.type")
    known = architecture in _ONE_TABLE or (architecture in _TWO_TABLES and kind != "yarn")
    if scaling.tag and not known:
        raise BaseModelError(
            f"{gguf} scales its rotary positions{f' by {kind!r}' if kind else ''}, which cannot be"
            f" trained on for the architecture {architecture!r}; use another base"
        )
    return scaling


def head_width(gguf: Path) -> int:
    """The dimensions of an attention head; 0 = the file does not say. Raises BaseModelError."""
    return _Metadata(_header(gguf), 0).widths()[0]


def _header(gguf: Path) -> HeaderReader:
    try:
        return HeaderReader(gguf)
    except UNREADABLE as error:
        raise BaseModelError(f"{gguf} is no readable GGUF: {error}") from error


class _Metadata:
    """Reads a header as llama.cpp does."""

    def __init__(self, header: HeaderReader, context_tokens: int) -> None:
        self._header = header
        self._architecture = header.text("general.architecture") or "unknown"
        self._tensors = {tensor.name: tensor for tensor in header.tensors}
        trained = self._number("context_length", 0)
        self._trained_positions = self._number("rope.scaling.original_context_length", trained)
        self._positions = -(-context_tokens // _CONTEXT_UNIT) * _CONTEXT_UNIT

    def scaling(self) -> RopeScaling:
        kind = self._header.text(f"{self._architecture}.rope.scaling.type") or "linear"
        if kind not in ROPE_SCALINGS:
            raise BaseModelError(
                f"the base scales its rotary positions by {kind!r}, which llama.cpp does not"
                f" serve; known are {', '.join(ROPE_SCALINGS)}"
            )
        head, rotated = self.widths()
        given = self._given_factors(kind, rotated // 2)
        share = 1.0 if kind == "none" else self._share()
        kept = self._kept_shares(rotated) if kind == "yarn" else [0.0] * (rotated // 2)
        factors = [g / (share * (1 - k) + k) for g, k in zip(given, kept, strict=True)]
        magnitude = self._number("rope.scaling.attn_factor", 1.0)
        if kind == "yarn" and share < 1:
            magnitude *= _yarn_magnitude(1 / share, 1.0)
            magnitude /= _yarn_magnitude(
                1 / share, self._number("rope.scaling.yarn_log_multiplier", 0)
            )
        return RopeScaling(tuple(factors), magnitude, rotated / head if head else 1.0)

    def _number(self, key: str, default: float) -> float:
        found = self._header.number(f"{self._architecture}.{key}")
        return default if found is None else found

    def widths(self) -> tuple[int, int]:
        """The dimensions of a head, and how many of them are rotated."""
        heads = int(self._number("attention.head_count", 0))
        shared = int(self._number("embedding_length", 0)) // heads if heads else 0
        head = int(self._number("attention.key_length", shared))
        return head, int(self._number("rope.dimension_count", head))

    def _share(self) -> float:
        """What a linear scaling multiplies every frequency by."""
        factor = self._number("rope.scaling.factor", self._number("rope.scale_linear", 0))
        return 1 / factor if factor else 1.0

    def _given_factors(self, kind: str, pairs: int) -> list[float]:
        names = [_LONG if self._positions > self._trained_positions else _SHORT]
        if self._architecture != "phi3" and kind != "longrope":
            names = [_FREQS]
        for name in names:
            if name in self._tensors:
                return [float(x) for x in np.asarray(self._tensors[name].data, np.float32)]
        return [1.0] * pairs

    def _kept_shares(self, rotated: int) -> list[float]:
        """How much of each frequency YaRN leaves as it is: all of the fast, none of the slow."""
        base = self._number("rope.freq_base", 10000.0)

        def pair_of(turns: float) -> float:
            ratio = self._trained_positions / (turns * 2 * math.pi)
            return rotated * math.log(ratio) / (2 * math.log(base))

        fast, slow = self._betas()
        low = max(0.0, math.floor(pair_of(fast)))
        high = min(rotated - 1.0, math.ceil(pair_of(slow)))
        slope = max(0.001, high - low)
        return [1 - min(1.0, max(0.0, (pair - low) / slope)) for pair in range(rotated // 2)]

    def _betas(self) -> tuple[float, float]:
        """How many turns within the trained context make a frequency fast, and slow."""
        if self._architecture not in _READS_BETAS:
            return _BETA_FAST, _BETA_SLOW
        fast = self._number("rope.scaling.yarn_beta_fast", _BETA_FAST)
        return fast, self._number("rope.scaling.yarn_beta_slow", _BETA_SLOW)


def _yarn_magnitude(factor: float, multiplier: float) -> float:
    """What YaRN makes vectors longer by, a context being longer by `factor`."""
    return 1 + 0.1 * multiplier * math.log(factor)
