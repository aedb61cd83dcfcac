"""What the next step computes: a pure decision over a view of the running turns.

Grouped batching: a step runs rows of one adapter only. Adapters take turns in rotation, each for a
quantum of steps, so that switches stay rare and nobody starves. Within a group a prefill chunk and
a decode of all running turns alternate: a long prompt stalls running streams by one chunk at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TurnView:
    """What the scheduler knows of a running turn; views come in order of arrival."""

    sequence: int
    adapter: str
    pending_tokens: int  # prompt tokens not computed yet; 0 = decoding


@dataclass(frozen=True)
class Rotation:
    """Whose turn it is, carried from step to step."""

    adapter: str = ""
    steps_left: int = 0
    prefilled_last: bool = False


@dataclass(frozen=True)
class Step:
    """One decode: either a prefill chunk of one sequence, or a token for each of several."""

    adapter: str
    prefill_sequence: int | None = None
    prefill_tokens: int = 0
    decode_sequences: tuple[int, ...] = ()  # ascending


@dataclass(frozen=True)
class Limits:
    """Sizes of a step and of a rotation."""

    chunk_tokens: int = 256
    quantum_steps: int = 8


def plan(turns: Sequence[TurnView], rotation: Rotation, limits: Limits) -> tuple[Step, Rotation]:
    """Decide the next step for at least one running turn."""
    rotation = _rotate(turns, rotation, limits)
    group = [turn for turn in turns if turn.adapter == rotation.adapter]
    prefilling = [turn for turn in group if turn.pending_tokens > 0]
    decoding = tuple(sorted(turn.sequence for turn in group if turn.pending_tokens == 0))
    if prefilling and not (rotation.prefilled_last and decoding):
        first = prefilling[0]
        tokens = min(first.pending_tokens, limits.chunk_tokens)
        step = Step(rotation.adapter, prefill_sequence=first.sequence, prefill_tokens=tokens)
    else:
        step = Step(rotation.adapter, decode_sequences=decoding)
    prefilled = step.prefill_sequence is not None
    return step, replace(rotation, steps_left=rotation.steps_left - 1, prefilled_last=prefilled)


def _rotate(turns: Sequence[TurnView], rotation: Rotation, limits: Limits) -> Rotation:
    waiting = sorted({turn.adapter for turn in turns})
    if rotation.adapter in waiting and (rotation.steps_left > 0 or len(waiting) == 1):
        return rotation
    following = [adapter for adapter in waiting if adapter > rotation.adapter] or waiting
    return Rotation(following[0], limits.quantum_steps)
