"""Does mixing compute what llama.cpp computes? Asked once at every start, on the model served.

A few sequences read a few tokens and go on for a few, each under its own random adapter: first by
the stock library, one adapter on the whole context at a time, then mixed. The logits must agree far
better than those of different adapters do. They need not agree to the bit: another batch shape has
other rounding, and so has B times a hidden value that is not rounded to 16 bits first, which the
stock library does for an adapter in 16 bits and not for one in 32. A quantized base amplifies it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from npc_server.engine.errors import EngineError, MixingUnavailableError
from npc_server.engine.llama import BatchRow, Llama
from npc_server.engine.lora.adapter_gguf import write_adapter_gguf
from npc_server.engine.lora.half_lora import HalfLora
from npc_server.engine.lora.mixing import Mixer
from npc_server.engine.lora.products import Tile
from npc_server.engine.lora.slots import Slots

Logits = npt.NDArray[np.float32]

_MOST_SEQUENCES = 3
_PROMPT_TOKENS = 6
_STEPS = 2
_TOKENS = _PROMPT_TOKENS + _STEPS
_NOISE_FACTOR = 3.0  # two samples of the same noise differ this much at most
_LEAST_EFFECT = 1e-3


@dataclass(frozen=True)
class Agreement:
    """Root mean squares over all logits compared."""

    error: float  # mixed against stock
    noise: float  # stock, in a batch against alone and with the adapter in 32 bits
    effect: float  # one adapter against another, both stock
    may_lose: float  # of the effect, for bases that have no noise at all

    @property
    def good(self) -> bool:
        """Whether rows ran under their own adapters."""
        tolerance = _NOISE_FACTOR * self.noise + self.may_lose * self.effect
        return self.effect > _LEAST_EFFECT and self.error <= min(tolerance, self.effect / 2)


def require_mixing(llama: Llama, mixer: Mixer, arena: Slots) -> Agreement:
    """Raise MixingUnavailableError unless mixed batches are right on this model and build.

    Sequences and slots in use must be free; they are left empty.
    """
    try:
        agreement = _compare(llama, mixer, arena)
    except EngineError as error:
        raise MixingUnavailableError(f"the self-test failed: {error}") from error
    if not agreement.good:
        raise MixingUnavailableError(
            f"the self-test found logits off by {agreement.error:.3g}, where rounding "
            f"makes {agreement.noise:.3g} and other adapters {agreement.effect:.3g}"
        )
    return agreement


def _compare(llama: Llama, mixer: Mixer, arena: Slots) -> Agreement:
    count = min(_MOST_SEQUENCES, arena.slots)
    everyone = range(count)
    loras = [_random_lora(arena, seed) for seed in everyone]
    with mixer.pause():
        stock = [_stock_run(llama, lora, everyone) for lora in loras]
        alone = np.stack([_stock_run(llama, loras[i], [i], np.float32)[0] for i in everyone])
    mixed = _mixed_run(llama, mixer, arena, loras)
    own = np.stack([stock[i][i] for i in everyone])
    other = np.stack([stock[i - 1][i] for i in everyone])
    effect = _rms(other - own) if count > 1 else float("inf")
    return Agreement(_rms(mixed - own), _rms(alone - own), effect, arena.may_lose)


def _stock_run(
    llama: Llama, lora: HalfLora, sequences: Sequence[int], kind: npt.DTypeLike = np.float16
) -> Logits:
    """Logits, [sequence, step, vocabulary], with one adapter set on the context."""
    with tempfile.TemporaryDirectory(prefix="npc-self-test-") as scratch:
        path = Path(scratch) / "adapter.gguf"
        write_adapter_gguf(path, llama.architecture, _by_gguf_name(lora), alpha=0.0, kind=kind)
        with llama.adapter(path):
            return _run(llama, sequences, lambda tile: None, lambda: None)


def _mixed_run(llama: Llama, mixer: Mixer, arena: Slots, loras: Sequence[HalfLora]) -> Logits:
    for slot, lora in enumerate(loras):
        arena.load(slot, lora)
    try:
        return _run(llama, range(len(loras)), lambda t: mixer.route(llama.context, t), mixer.check)
    finally:
        for slot in range(len(loras)):
            arena.clear(slot)


def _run(
    llama: Llama,
    sequences: Sequence[int],
    route: Callable[[Tile], None],
    check: Callable[[], None],
) -> Logits:
    """Read a prompt in one chunk of all sequences, then step all sequences together."""
    tokens = _random_tokens(llama.vocab_size)
    count = len(sequences)
    seen: list[Logits] = []
    for start, end in [(0, _PROMPT_TOKENS), *((t, t + 1) for t in range(_PROMPT_TOKENS, _TOKENS))]:
        wanted = end - start == 1
        rows = [
            BatchRow(int(tokens[s, t]), t, s, wanted) for s in sequences for t in range(start, end)
        ]
        route(Tile(sequences[0], count, end - start, uniform=count == 1))
        llama.decode(rows)
        check()
        if wanted:
            seen.append(np.stack([llama.logits(row) for row in range(count)]))
    for sequence in sequences:
        llama.clear(sequence)
    return np.stack(seen, axis=1)


def _random_tokens(vocab_size: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, vocab_size, (_MOST_SEQUENCES, _TOKENS))


def _random_lora(arena: Slots, seed: int) -> HalfLora:
    """An adapter about a third as strong as the base, so that a wrong one cannot pass."""
    generator = np.random.default_rng(seed)
    a, b = {}, {}
    for name, (columns, rows) in arena.sizes.items():
        a[name] = _noise(generator, (arena.rank, columns), columns**-0.5)
        b[name] = _noise(generator, (arena.rank, rows), 0.3 * arena.rank**-0.5)
    return HalfLora(a, b, arena.rank)


def _noise(
    generator: np.random.Generator, shape: tuple[int, int], scale: float
) -> npt.NDArray[np.float16]:
    noise = generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)
    return noise.astype(np.float16)


def _by_gguf_name(lora: HalfLora) -> Mapping[str, npt.NDArray[np.float16]]:
    a = {f"{name}.lora_a": tensor for name, tensor in lora.a.items()}
    return a | {f"{name}.lora_b": tensor.T for name, tensor in lora.b.items()}


def _rms(values: Logits) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
