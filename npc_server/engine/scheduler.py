"""What the next step computes: a pure decision over a view of the running turns.

A step is one decode: either a chunk of a prompt, or one token for every running turn. While anyone
speaks, the two alternate, so that a long prompt holds the others up by one chunk at most. The end
of a prompt is also the beginning of its reply: the chunk that reads it yields the first token.

Chunks go to the turn with the least left to read, which keeps short turns quick, and every other
time to the one that came first, so that nobody waits for ever. Neighbours with about as much to
read share a chunk: turns that arrive together then read together. Idle turns read while no other
does, and in small portions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from npc_server.engine.lora.voice import Voice

#: Fewer tokens are read one by one beside the others' tokens: a decode of their own costs more.
MIN_CHUNK_TOKENS = 4
#: A chunk of a turn that nobody waits for, while others speak: shorter than their own step.
BACKGROUND_CHUNK_TOKENS = 8
#: A chunk of an idle turn when nobody speaks: whoever comes meanwhile waits for its end.
IDLE_CHUNK_TOKENS = 32
#: Share of a common chunk that must be needed tokens; the rest is padding.
_LEAST_FILL = 0.75


@dataclass(frozen=True)
class TurnView:
    """What the scheduler knows of a running turn; views come in order of arrival."""

    sequence: int
    voice: Voice
    unread_tokens: int  # prompt tokens that are not computed yet; 0 = speaking
    until_save: int = 0  # tokens after which the state is to be saved, so a chunk ends; 0 = none
    room_tokens: int = 1 << 20  # that its sequence still has
    background: bool = False
    idle: bool = False

    @property
    def next_chunk(self) -> int:
        """Tokens that its next chunk may have."""
        return min(self.unread_tokens, self.until_save or self.unread_tokens)


@dataclass(frozen=True)
class Rotation:
    """Whose turn it is, carried from step to step."""

    voice: Voice | None = None  # grouped batching only
    steps_left: int = 0
    served_first: bool = False  # the last chunk went to the turn that came first
    chunked: bool = False  # the last step was a chunk


@dataclass(frozen=True)
class Chunk:
    """Prompt tokens to read: `counts` of neighbouring `sequences`, ascending."""

    sequences: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def width(self) -> int:
        """Rows per sequence in the decode, padding included."""
        return max(self.counts)


@dataclass(frozen=True)
class Step:
    """A chunk, or one token for each of `decode`, ascending."""

    chunk: Chunk | None
    decode: tuple[int, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Sizes of a step and of a rotation."""

    batch_tokens: int = 512  # a chunk of one turn when nobody speaks
    chunk_tokens: int = 128  # a chunk while others speak, or of several turns
    quantum_steps: int = 8
    pad_chunks: bool = True  # turns may share a chunk; padding is computed and cut off again


def plan_mixed(
    turns: Sequence[TurnView], rotation: Rotation, limits: Limits
) -> tuple[Step, Rotation]:
    """The next step when every row may have its own adapter; `turns` are at least one."""
    return _plan(turns, rotation, limits, shareable=limits.pad_chunks)


def plan_grouped(
    turns: Sequence[TurnView], rotation: Rotation, limits: Limits
) -> tuple[Step, Rotation]:
    """The next step when it runs under one adapter: voices take turns, a few steps each.

    Idle turns wait until they are alone, since their steps could compute nothing for the others.
    """
    turns = [turn for turn in turns if not turn.idle] or turns
    rotation = _rotate(turns, rotation, limits)
    group = [turn for turn in turns if turn.voice == rotation.voice]
    step, rotation = _plan(group, rotation, limits, shareable=False)
    return step, replace(rotation, steps_left=rotation.steps_left - 1)


def _plan(
    turns: Sequence[TurnView], rotation: Rotation, limits: Limits, *, shareable: bool
) -> tuple[Step, Rotation]:
    reading = [turn for turn in turns if turn.next_chunk >= MIN_CHUNK_TOKENS]
    speaking = len(reading) < len(turns)
    reading = [turn for turn in reading if not turn.idle] or reading
    if not reading or (speaking and rotation.chunked):
        decode = tuple(sorted(turn.sequence for turn in turns))
        return Step(None, decode), replace(rotation, chunked=False)
    shortest = min(reading, key=lambda turn: turn.unread_tokens)
    chosen = shortest if rotation.served_first else reading[0]
    together = _neighbours(chosen, reading, limits.chunk_tokens) if shareable else [chosen]
    most = limits.chunk_tokens if speaking or len(together) > 1 else limits.batch_tokens
    if chosen.idle or (speaking and chosen.background):
        together = [chosen]
        most = min(most, BACKGROUND_CHUNK_TOKENS if speaking else IDLE_CHUNK_TOKENS)
    counts = tuple(min(turn.next_chunk, most) for turn in together)
    chunk = Chunk(tuple(turn.sequence for turn in together), counts)
    return Step(chunk), replace(rotation, chunked=True, served_first=chosen is reading[0])


def _neighbours(chosen: TurnView, reading: Sequence[TurnView], most_rows: int) -> list[TurnView]:
    """The chosen turn and those beside it that fill a common chunk well."""
    by_sequence = {turn.sequence: turn for turn in reading}
    together = [chosen]
    for step in (1, -1):
        at = chosen.sequence + step
        while at in by_sequence and _fills([*together, by_sequence[at]], most_rows):
            together.append(by_sequence[at])
            at += step
    return sorted(together, key=lambda turn: turn.sequence)


def _fills(turns: Sequence[TurnView], most_rows: int) -> bool:
    sizes = [turn.next_chunk for turn in turns]
    rows = len(sizes) * max(sizes)
    if max(sizes) > min(turn.room_tokens for turn in turns):
        return False
    return rows <= most_rows and sum(sizes) >= _LEAST_FILL * rows


def _rotate(turns: Sequence[TurnView], rotation: Rotation, limits: Limits) -> Rotation:
    voices = sorted({turn.voice for turn in turns}, key=lambda voice: (voice.adapter, voice.scale))
    current = rotation.voice
    if current in voices and (rotation.steps_left > 0 or len(voices) == 1):
        return rotation
    following = voices
    if current is not None:
        last = (current.adapter, current.scale)
        following = [voice for voice in voices if (voice.adapter, voice.scale) > last] or voices
    return replace(rotation, voice=following[0], steps_left=limits.quantum_steps)
