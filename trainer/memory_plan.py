"""How a training is held in memory: as exactly and as fast as fits. Pure.

What is asked for in `[training]` is the most that one wants; what memory lacks is traded in this
order, from what costs nothing but time to what costs precision:

1. activations are computed again in the backward pass (gradient checkpointing, some third of time),
2. fewer rows are in memory at once: more of them per optimizer step, and they share less,
3. on CUDA, the base in four bits instead of bfloat16, with the optimizer's state in 8 bits.

On a CPU the base stays in float32 unless asked otherwise: the host holds it so anyway, to unpack it
and to judge what was learned. A setting that a device cannot do is refused, never replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from trainer.errors import ConfigError
from trainer.held import Device, Held, Optimizer, Weights
from trainer.memory import MIB, ModelSize, base_bytes, training_need
from trainer.settings import LoraShape, Memory

USED_SHARE = 0.9  # of free memory: allocators leave gaps
#: Beside a base that scores: probabilities of a text, kept for comparison, and one window's more.
_SCORED_TOKENS = 2048


@dataclass(frozen=True)
class Hardware:
    """What computes, as it was found."""

    device: Device  # not AUTO
    name: str  # of the GPU; "" = a CPU
    free_bytes: int | None  # None = nobody knows
    has_bfloat16: bool  # computes with it, not only stores it

    @property
    def text(self) -> str:
        """The device in words."""
        return f"{self.device} ({self.name})" if self.name else str(self.device)


@dataclass(frozen=True)
class Wish:
    """What a training asks for."""

    memory: Memory
    lora: LoraShape | None  # None = all weights are trained
    most_rows: int  # at once
    least_rows: int  # at once; where the loss is one of several rows together, all of them
    longest_tokens: int  # of a row


def plan(model: ModelSize, wish: Wish, hardware: Hardware) -> Held:
    """The first way to hold the training that fits, or the most frugal one.

    Raises ConfigError when not even that one's weights fit, or the device cannot do what is asked.
    """
    ways = list(_ways(wish, hardware))
    fit = (way for way in ways if fits(model, wish, way, hardware))
    return next(fit, None) or _most_frugal(model, wish, ways[-1], hardware)


def fits(model: ModelSize, wish: Wish, held: Held, hardware: Hardware) -> bool:
    """Whether rows of the longest kind fit."""
    need = training_need(model, wish.lora, held, wish.longest_tokens)
    return need.likely <= _usable(hardware)


def voice_place(model: ModelSize, hardware: Hardware) -> tuple[Device, Weights]:
    """Where a voice is scored, and with which weights: never with fewer bits than bfloat16."""
    kept = _SCORED_TOKENS * model.vocabulary * 4
    for weights in (Weights.FLOAT32, Weights.BFLOAT16):
        halved = weights is Weights.BFLOAT16
        able = not halved or (hardware.device is Device.CUDA and hardware.has_bfloat16)
        if able and base_bytes(model, weights, halved) + kept <= _usable(hardware):
            return hardware.device, weights
    return Device.CPU, Weights.FLOAT32


def relief(held: Held, least_rows: int) -> str:
    """The next setting to try in `[training]` when memory ran out."""
    if not held.gradient_checkpointing:
        return "gradient_checkpointing = true"
    if held.rows_at_once > least_rows:
        return f"micro_batch_rows = {held.rows_at_once // 2}"
    if held.weights is not Weights.NF4 and held.device is not Device.MPS:
        return 'base = "nf4"'
    return "a smaller max_tokens or rank, or a smaller base"


def _ways(wish: Wish, hardware: Hardware) -> Iterator[Held]:
    for weights in _weights(wish.memory, hardware):
        plain = Held(
            device=hardware.device,
            weights=weights,
            in_bfloat16=_in_bfloat16(weights, hardware),
            optimizer=_optimizer(wish.memory, weights, hardware),
            gradient_checkpointing=wish.memory.gradient_checkpointing,
            rows_at_once=wish.most_rows,
        )
        yield plain
        yield replace(plain, gradient_checkpointing=True)
        for rows in _fewer_rows(wish):
            yield replace(plain, gradient_checkpointing=True, rows_at_once=rows)


def _in_bfloat16(weights: Weights, hardware: Hardware) -> bool:
    able = hardware.device is Device.CUDA and hardware.has_bfloat16
    return weights is Weights.BFLOAT16 or (weights is Weights.NF4 and able)


def _fewer_rows(wish: Wish) -> Iterator[int]:
    """Numbers of rows that divide a batch as well, downwards."""
    every = range(wish.most_rows - 1, wish.least_rows - 1, -1)
    return (rows for rows in every if wish.most_rows % rows == 0)


def _weights(memory: Memory, hardware: Hardware) -> tuple[Weights, ...]:
    """The precisions to try. Raises ConfigError."""
    if memory.base is not Weights.AUTO:
        _require_able(memory.base, hardware)
        return (memory.base,)
    if hardware.device is not Device.CUDA:
        return (Weights.FLOAT32,)
    exact = Weights.BFLOAT16 if hardware.has_bfloat16 else Weights.FLOAT32
    return exact, Weights.NF4


def _require_able(weights: Weights, hardware: Hardware) -> None:
    place = f'base = "{weights}" in [training]'
    if hardware.device is Device.MPS and weights is not Weights.FLOAT32:
        raise ConfigError(f"{place}: on mps a base is trained on in float32; set that, or auto")
    if weights is Weights.BFLOAT16 and not hardware.has_bfloat16:
        raise ConfigError(
            f"{place}: {hardware.name} does not compute with bfloat16, and float16 is not offered,"
            ' whose small gradients become zero; set base = "float32", or "nf4" for less memory'
        )


def _optimizer(memory: Memory, weights: Weights, hardware: Hardware) -> Optimizer:
    if memory.optimizer is not Optimizer.AUTO:
        return memory.optimizer
    short = hardware.device is Device.CUDA and weights is Weights.NF4
    return Optimizer.PAGED_ADAMW_8BIT if short else Optimizer.ADAMW


def _most_frugal(model: ModelSize, wish: Wish, held: Held, hardware: Hardware) -> Held:
    least = training_need(model, wish.lora, held, wish.longest_tokens).least
    if hardware.free_bytes is not None and least > hardware.free_bytes:
        raise ConfigError(
            f"memory: training takes {least / MIB:.0f} MiB or more on {hardware.text}, and"
            f" {hardware.free_bytes / MIB:.0f} MiB are free; {_smaller(wish, held)}"
        )
    return held


def _smaller(wish: Wish, held: Held) -> str:
    if wish.lora is None:
        coarser = held.optimizer is not Optimizer.PAGED_ADAMW_8BIT and held.device is not Device.MPS
        first = 'set optimizer = "paged_adamw_8bit" in [training], ' if coarser else ""
        return f"{first}train an adapter and merge it (without --full), or use a smaller base"
    if held.weights is Weights.NF4 or held.device is Device.MPS:
        return "lower rank in [training], free some of it, or use a smaller base"
    return 'set base = "nf4" in [training], lower rank, or use a smaller base'


def _usable(hardware: Hardware) -> float:
    return float("inf") if hardware.free_bytes is None else hardware.free_bytes * USED_SHARE
