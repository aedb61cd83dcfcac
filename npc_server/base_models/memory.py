"""How much memory a base takes while it is served on the CPU: one formula, from its shape.

Of the embedded base llama.cpp prints the same figures for what it allocates; what it allocates for
other widths follows from the same dimensions. Kept prefixes and parsed adapters come on top, as
far as `[engine] cache_mib` and `adapter_cache_mib` let them grow.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_server.base_models.shape import Shape
from npc_server.engine.llama import ContextShape
from npc_server.engine.settings import EngineSettings

_HALF_BYTES, _FLOAT_BYTES = 2, 4
_CELL_UNIT = 256  # llama.cpp rounds a context up to this
_RANK_UNIT = 16  # slots of adapters are as wide as a multiple of it
_BATCH_TOKENS = ContextShape().batch_tokens
_MIB = 1 << 20


@dataclass(frozen=True)
class ServedMemory:
    """Bytes that a served base takes, by what for."""

    weights: int
    contexts: int  # keys and values of all turns that may run at once
    buffers: int  # what a step computes
    adapters: int  # of the turns that run
    caches: int  # most that kept prefixes and parsed adapters may take on top

    @property
    def bytes(self) -> int:
        """All that is taken from the start."""
        return self.weights + self.contexts + self.buffers + self.adapters

    @property
    def most_bytes(self) -> int:
        """With the caches full."""
        return self.bytes + self.caches


def served_memory(shape: Shape, file_bytes: int, settings: EngineSettings) -> ServedMemory:
    """What a base of this shape and size takes under these settings."""
    return ServedMemory(
        weights=file_bytes,
        contexts=settings.sequences * _kv_bytes(shape, settings.context_tokens),
        buffers=_buffer_bytes(shape, settings.sequences),
        adapters=_slot_bytes(shape, settings),
        caches=(settings.cache_mib + settings.adapter_cache_mib) * _MIB,
    )


def _kv_bytes(shape: Shape, context_tokens: int) -> int:
    """Keys and values of one sequence, F16; layers that see a window alone keep all of it, too."""
    cells = _rounded_up(context_tokens, _CELL_UNIT) * shape.layers
    return cells * shape.kv_width * _HALF_BYTES


def _buffer_bytes(shape: Shape, sequences: int) -> int:
    """Logits of a whole batch outweigh all else that is alive with them."""
    computed = _BATCH_TOKENS * (shape.vocabulary + 2 * shape.width)
    return (computed + sequences * shape.vocabulary) * _FLOAT_BYTES


def _slot_bytes(shape: Shape, settings: EngineSettings) -> int:
    """A slot per sequence, whose B lies in memory twice, and the carrier of zeros."""
    rank = _rounded_up(settings.max_rank, _RANK_UNIT)
    slot = rank * shape.layers * (shape.adapted_columns + 2 * shape.adapted_rows)
    carrier = rank * shape.layers * (shape.adapted_columns + shape.adapted_rows)
    return (settings.sequences * slot + carrier) * _HALF_BYTES


def _rounded_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
