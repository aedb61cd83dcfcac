"""What a base and its context will take of each device, before anything is loaded; pure.

Weights, keys and values, and slots are sums over the layers of a device. Working memory is what
llama.cpp reserves for the widest moment of its largest batch: either in the feed-forward network,
where gate, up and their product stand beside four widths of the residual stream, or at the end,
where the logits are. The numbers of both were read off llama.cpp's own reports for nine shapes of
five architectures (docs/engine.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from npc_server.engine.base_figures import BaseFigures
from npc_server.engine.errors import KvTypeError, NoRoomError
from npc_server.engine.llama import ContextShape
from npc_server.engine.lora.mux import LOADED_ADAPTERS
from npc_server.engine.lora.slots import slot_rank
from npc_server.engine.placement import CPU, ON_CPU, Placement, layer_homes
from npc_server.engine.protocol import Batching, EngineOptions, KvType

MIB = 1 << 20
#: Beside what is planned, a GPU's driver and kernels take memory of their own.
GPU_RESERVE_BYTES = 512 * MIB
_FLOAT_BYTES, _HALF_BYTES = 4, 2
_CELL_UNIT = 256  # llama.cpp rounds a sequence's cells up to it
_LEAST_CONTEXT = 256


@dataclass(frozen=True)
class Share:
    """What is taken of one device, in bytes."""

    device: str
    free: int | None  # None = it does not say
    weights: int
    kv: int
    adapters: int
    working: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.adapters + self.working

    @property
    def text(self) -> str:
        """The numbers, for people."""
        free = "" if self.free is None else f", {self.free // MIB:,} MiB free"
        return (
            f"{self.device}: {self.total // MIB:,} MiB (weights {self.weights // MIB:,}, keys and"
            f" values {self.kv // MIB:,}, adapters {self.adapters // MIB:,}, working memory"
            f" {self.working // MIB:,}){free}"
        )


@dataclass(frozen=True)
class MemoryPlan:
    """What is taken of the host, first, and of each GPU."""

    shares: tuple[Share, ...]

    @property
    def lacking(self) -> tuple[Share, ...]:
        """Shares that are larger than what is free."""
        return tuple(x for x in self.shares if x.free is not None and x.total > x.free)

    @property
    def text(self) -> str:
        """The numbers of all devices, for people."""
        return "; ".join(share.text for share in self.shares)


@dataclass(frozen=True)
class Load:
    """What is to be loaded, and how it will be used."""

    base: BaseFigures
    shape: ContextShape
    options: EngineOptions


def require_kv_type(load: Load) -> None:
    """Raise KvTypeError if keys and values cannot be kept in the wanted type for this base."""
    kind, head = load.shape.kv_type, load.base.head_width
    block, _ = _quant(kind)
    if head % block:
        raise KvTypeError(
            f"engine.kv_type = {kind.value!r} keeps blocks of {block} numbers, and a head of this"
            f" base has {head}; use {KvType.F16.value!r}"
        )


def memory_plan(load: Load, placement: Placement, host_free: int | None) -> MemoryPlan:
    """What each device will hold."""
    homes = layer_homes(len(load.base.layers), placement.gpu_layers, placement.shares)
    host = _share(load, homes, ON_CPU, CPU, host_free)
    frees = (device.free_bytes if device.total_bytes else None for device in placement.devices)
    gpus = [
        _share(load, homes, index, device.name, free)
        for index, (device, free) in enumerate(zip(placement.devices, frees, strict=True))
        if index in homes
    ]
    return MemoryPlan((host, *gpus))


def _share(load: Load, homes: Sequence[int], home: int, device: str, free: int | None) -> Share:
    base, shape = load.base, load.shape
    here = [layer for layer, at in zip(base.layers, homes, strict=False) if at == home]
    cells = shape.sequences * _round_up(shape.context_tokens, _CELL_UNIT)
    return Share(
        device,
        free,
        weights=sum(layer.weight_bytes for layer in here) + _ends_bytes(base, homes[-1], home),
        kv=cells * sum(_row_bytes(x.k_width + x.v_width, shape.kv_type) for x in here),
        adapters=sum(layer.adapted_width for layer in here) * _slot_bytes(load, homes),
        working=_working_bytes(load, homes, home),
    )


def _ends_bytes(base: BaseFigures, output_home: int, home: int) -> int:
    """What lies beside the layers: the table is the CPU's, the head is where the output is."""
    table = base.input_bytes if home == ON_CPU else 0
    if home != output_home:
        return table
    head = base.input_bytes if base.tied and home != ON_CPU else 0
    return table + head + base.output_bytes


def _slot_bytes(load: Load, homes: Sequence[int]) -> int:
    """Memory per adapted width: of slots and the carrier, or of llama.cpp's own adapters."""
    if load.options.batching is Batching.GROUPED:
        return load.options.max_rank * LOADED_ADAPTERS * _HALF_BYTES
    on_host = set(homes) == {ON_CPU}
    item_bytes = load.base.adapter_bits // 8 if on_host else _HALF_BYTES
    slots, carrier = load.shape.sequences * item_bytes, _HALF_BYTES
    return (slots + carrier) * slot_rank(load.options.max_rank)


def _working_bytes(load: Load, homes: Sequence[int], home: int) -> int:
    base, shape = load.base, load.shape
    tokens, rows = shape.batch_tokens, shape.logit_rows or shape.batch_tokens
    logits = rows * base.vocabulary * _FLOAT_BYTES
    handed_out = shape.sequences * base.vocabulary * _FLOAT_BYTES if home == ON_CPU else 0
    masks = tokens * shape.context_tokens * _HALF_BYTES * (2 if base.windowed else 1)
    if home not in homes:  # the host of a base that lies on GPUs: what goes in
        return handed_out + tokens * 2 * base.width * _FLOAT_BYTES + masks
    layers = tokens * _layer_floats(base) * _FLOAT_BYTES + masks
    end = logits + tokens * 2 * base.width * _FLOAT_BYTES if home == homes[-1] else 0
    return handed_out + max(layers, end)


def _layer_floats(base: BaseFigures) -> int:
    """Numbers per token at the widest moment of a layer, an adapter's included."""
    if base.fused:  # what an adapter adds to gate and up is as wide as they are
        return 4 * base.feed_forward + 3 * base.width
    return 3 * base.feed_forward + 4 * base.width


def _row_bytes(width: int, kind: KvType) -> int:
    block, size = _quant(kind)
    return width // block * size


def _quant(kind: KvType) -> tuple[int, int]:
    """(numbers in a block, its bytes)"""
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind.name]]
    return int(block), int(size)


def _round_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit


def fitting_layers(load: Load, placement: Placement, spare: int = GPU_RESERVE_BYTES) -> int:
    """The most layers that GPUs hold with `spare` bytes left on each; 0 = none."""
    whole = len(load.base.layers) + 1 if placement.devices else 0
    for count in range(whole, 0, -1):
        _, *gpus = memory_plan(load, replace(placement, gpu_layers=count), None).shares
        if all(share.free is None or share.total + spare <= share.free for share in gpus):
            return count
    return 0


def require_room(load: Load, placement: Placement, host_free: int | None) -> MemoryPlan:
    """The plan of what will be loaded. Raises NoRoomError, with a setting that would fit."""
    plan = memory_plan(load, placement, host_free)
    if plan.lacking:
        raise NoRoomError(f"not enough memory, {plan.text}; {_remedy(load, placement, host_free)}")
    return plan


def _remedy(load: Load, placement: Placement, host_free: int | None) -> str:
    """The one setting to change that would fit, the least loss first."""
    for text, changed, placed in _remedies(load, placement, host_free):
        if not memory_plan(changed, placed, host_free).lacking:
            return f"{text} would fit"
    return "no one setting would do: take a smaller base or quantization, or fewer sequences too"


def _remedies(
    load: Load, placement: Placement, host_free: int | None
) -> list[tuple[str, Load, Placement]]:
    fewer = fitting_layers(load, placement, spare=0)
    found = []
    if fewer < placement.gpu_layers:
        found.append((f"gpu_layers = {fewer}", load, replace(placement, gpu_layers=fewer)))
    for name, values in (
        ("context_tokens", _halves(load.shape.context_tokens, _LEAST_CONTEXT)),
        ("sequences", _halves(load.shape.sequences, 1)),
    ):
        found += [
            (f"{name} = {value}", _with_shape(load, **{name: value}), placement) for value in values
        ]
    if load.shape.kv_type is KvType.F16 and not load.base.head_width % 32:
        found.append(('kv_type = "q8_0"', _with_shape(load, kv_type=KvType.Q8_0), placement))
    return found


def _halves(value: int, least: int) -> list[int]:
    """Smaller values, the largest first."""
    return [value >> n for n in range(1, value.bit_length()) if value >> n >= least]


def _with_shape(load: Load, **changes: int | KvType) -> Load:
    shape = replace(load.shape, **changes)  # type: ignore[arg-type]
    if "sequences" in changes and load.shape.logit_rows:
        shape = replace(shape, logit_rows=shape.sequences)
    return replace(load, shape=shape)
