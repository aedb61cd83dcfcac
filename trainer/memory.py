"""How much memory a night takes.

The least is certain: weights, adapters, and what an optimizer keeps of them. The rest depends on
how long the rows are, so it is estimated from the longest of them. What a training does about it
is decided in `trainer.memory_plan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.gguf_header import HeaderReader
from npc_server.engine.lora.lora_gguf import linear_shapes
from npc_server.engine.settings import EngineSettings
from trainer.held import Device, Held, Optimizer, Weights
from trainer.settings import LoraShape

MIB = 1 << 20
_FLOAT_BYTES, _HALF_BYTES = 4, 2
#: Per weight of a linear layer: four bits, and scales of 64 weights in 8 bits under one of 256.
_NF4_BYTES = 0.5 + (1 + 4 / 256) / 64
#: Of a layer's width: what the backward pass needs again. Half of them would be 16 bits wide on a
#: GPU, where autocast keeps a rounded copy of each beside it instead.
_FLOATS_PER_TOKEN_AND_LAYER = 20
_LABELLED_SHARE = 0.5  # of a row's tokens: both sides' replies, over the longer side and its prompt
_BYTES_PER_LOGIT = 12  # the logit, its log-probability, and its gradient
#: On a CPU, beside tensors: freed memory that the allocator keeps, weights packed anew for a
#: product, libraries that load late. Measured at 135M and 200M, with and without checkpointing.
_CPU_OVERHEAD = 560 * MIB


@dataclass(frozen=True)
class ModelSize:
    """The figures of a model that the memory of its training depends on."""

    weights: int  # of all matrices
    linears: tuple[tuple[int, int], ...]  # that an adapter adapts: columns, rows
    layers: int
    width: int
    vocabulary: int

    @property
    def linear_weights(self) -> int:
        """Weights of the linear layers: what is held in four bits, where the rest is not."""
        return sum(columns * rows for columns, rows in self.linears)


@dataclass(frozen=True)
class BaseSize:
    """The figures of a base that the memory of a night depends on."""

    model: ModelSize
    file_bytes: int
    kv_width: int  # keys and values of one token in one layer


@dataclass(frozen=True)
class TrainingNeed:
    """Memory of a training, in bytes."""

    least: int  # without it no step can be taken
    likely: int  # with rows of the longest kind


def base_size(gguf: Path) -> BaseSize:
    """The figures of a base. Raises ModelLoadError."""
    linears = tuple(linear_shapes(gguf).values())
    header = HeaderReader(gguf)
    architecture = header.text("general.architecture") or ""
    matrices = [tensor for tensor in header.tensors if len(tensor.shape) > 1]

    def number(key: str) -> int:
        return int(header.number(f"{architecture}.{key}") or 0)

    width, heads = number("embedding_length"), number("attention.head_count") or 1
    head = number("attention.key_length") or width // heads
    model = ModelSize(
        weights=sum(int(tensor.n_elements) for tensor in matrices),
        linears=linears,
        layers=number("block_count"),
        width=width,
        vocabulary=max((int(tensor.shape[1]) for tensor in matrices), default=0),
    )
    return BaseSize(
        model=model,
        file_bytes=gguf.stat().st_size,
        kv_width=2 * head * (number("attention.head_count_kv") or heads),
    )


def training_need(
    model: ModelSize, shape: LoraShape | None, held: Held, longest_tokens: int
) -> TrainingNeed:
    """What a training held so takes, with rows of at most `longest_tokens`.

    `shape`: that of the adapter; None = all weights are trained.
    """
    least = base_bytes(model, held.weights, held.in_bfloat16) + _learning_bytes(model, shape, held)
    tokens = held.rows_at_once * longest_tokens
    logits = int(tokens * _LABELLED_SHARE) * model.vocabulary * _BYTES_PER_LOGIT
    likely = least + tokens * _kept_per_token(model, held) + logits
    return TrainingNeed(least, likely + (_CPU_OVERHEAD if held.device is Device.CPU else 0))


def _learning_bytes(model: ModelSize, shape: LoraShape | None, held: Held) -> int:
    """What is learned takes beside the base: gradients, moments; an adapter, and its reference."""
    moments = 2 * (1 if held.optimizer is Optimizer.PAGED_ADAMW_8BIT else _FLOAT_BYTES)
    if shape is None:
        return model.weights * (_FLOAT_BYTES + moments)
    adapted = shape.rank * sum(columns + rows for columns, rows in model.linears)
    return adapted * (3 * _FLOAT_BYTES + moments)


def base_bytes(model: ModelSize, weights: Weights, in_bfloat16: bool) -> int:
    """What the base takes: beside four bits, embeddings keep the precision that computes."""
    computed = _HALF_BYTES if in_bfloat16 else _FLOAT_BYTES
    linear = model.linear_weights
    match weights:
        case Weights.NF4:
            return int(linear * _NF4_BYTES + (model.weights - linear) * computed)
        case Weights.BFLOAT16:
            return model.weights * _HALF_BYTES
        case _:
            return model.weights * _FLOAT_BYTES


def _kept_per_token(model: ModelSize, held: Held) -> int:
    """Bytes that the backward pass needs of one token."""
    layer = model.width * _FLOATS_PER_TOKEN_AND_LAYER * _FLOAT_BYTES
    if not held.gradient_checkpointing:
        return layer * model.layers
    return layer + model.layers * model.width * _FLOAT_BYTES  # what enters each layer is kept


def engine_least(base: BaseSize, engine: EngineSettings) -> int:
    """What the gate's engine takes at the least, in bytes, beside no other model."""
    cells = engine.sequences * engine.context_tokens * base.model.layers * base.kv_width
    return base.file_bytes + cells * _HALF_BYTES
