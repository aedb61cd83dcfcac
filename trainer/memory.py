"""How much memory a night takes, and how much there is.

The least is certain: weights, adapters, and what an optimizer keeps of them. The rest depends on
how long the rows are, so it is estimated from the longest that are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.gguf_header import HeaderReader
from npc_server.engine.lora.lora_gguf import linear_shapes
from npc_server.engine.settings import EngineSettings
from trainer.settings import LoraShape, Memory, Optimizer, Weights

MIB = 1 << 20
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_FLOAT_BYTES, _HALF_BYTES = 4, 2
_NF4_BYTES = 0.5  # per weight, scales left out
_FLOATS_PER_TOKEN_AND_LAYER = 20  # of a layer's width: what the backward pass needs again


@dataclass(frozen=True)
class BaseSize:
    """The figures of a base that memory depends on."""

    file_bytes: int
    weights: int  # of all matrices
    linears: tuple[tuple[int, int], ...]  # that an adapter adapts: columns, rows
    layers: int
    width: int
    vocabulary: int
    kv_width: int  # keys and values of one token in one layer


@dataclass(frozen=True)
class Needs:
    """Memory of the steps of a night, in bytes; one step is in memory at a time."""

    training_least: int  # without it no step can be taken
    training_likely: int  # with rows of the longest kind
    examining_least: int  # the engine, beside no other model


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
    return BaseSize(
        file_bytes=gguf.stat().st_size,
        weights=sum(int(tensor.n_elements) for tensor in matrices),
        linears=linears,
        layers=number("block_count"),
        width=width,
        vocabulary=max((int(tensor.shape[1]) for tensor in matrices), default=0),
        kv_width=2 * head * (number("attention.head_count_kv") or heads),
    )


def needs(
    base: BaseSize,
    shape: LoraShape,
    memory: Memory,
    rows_at_once: int,
    max_tokens: int,
    engine: EngineSettings,
) -> Needs:
    """What a training with these settings and its examination take."""
    frozen = base.weights * (_NF4_BYTES if memory.base is Weights.NF4 else _FLOAT_BYTES)
    adapted = shape.rank * sum(columns + rows for columns, rows in base.linears)
    moments = 2 * (1 if memory.optimizer is Optimizer.PAGED_ADAMW_8BIT else _FLOAT_BYTES)
    trained = adapted * (2 * _FLOAT_BYTES + moments)  # weights and gradients
    least = int(frozen + trained)
    per_token = base.width * _FLOATS_PER_TOKEN_AND_LAYER * _FLOAT_BYTES
    held_layers = 1 if memory.gradient_checkpointing else base.layers
    activations = rows_at_once * max_tokens * per_token * held_layers
    cells = engine.sequences * engine.context_tokens * base.layers * base.kv_width
    return Needs(least, least + activations, base.file_bytes + cells * _HALF_BYTES)


def available_bytes() -> int | None:
    """The memory that this process may still take; None when the system does not say."""
    machine = _machine_bytes(_MEMINFO)
    limit = _cgroup_bytes(_CGROUP)
    known = [found for found in (machine, limit) if found is not None]
    return min(known) if known else None


def _machine_bytes(meminfo: Path) -> int | None:
    """Free memory and swap, and caches that can be dropped."""
    try:
        lines = meminfo.read_text("utf-8").splitlines()
        kib = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
        return (kib["MemAvailable"] + kib.get("SwapFree", 0)) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _cgroup_bytes(folder: Path) -> int | None:
    """What a container's limit leaves; file caches count as free."""
    try:
        limit, used = (
            (folder / name).read_text("utf-8").strip() for name in ("memory.max", "memory.current")
        )
        lines = (folder / "memory.stat").read_text("utf-8").splitlines()
        cached = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        return max(0, int(limit) - int(used) + cached)
    except (OSError, ValueError, IndexError):  # "max" is no number: no limit
        return None
