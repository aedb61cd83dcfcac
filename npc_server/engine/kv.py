"""Which sequence holds which tokens, and what a new turn can take over from them.

Keys and values depend on the adapter as much as on the tokens, so a prefix is shared only between
turns of the same adapter content hash. This is bookkeeping alone: the caller carries out the
`Placement` on the model and reports back what it computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

#: A shorter common prefix is cheaper to compute than to copy.
MIN_FORK_TOKENS = 16


@dataclass(frozen=True)
class Placement:
    """Where a turn goes: keep `kept_tokens` of `source` (itself, or another sequence to fork)."""

    sequence: int
    source: int
    kept_tokens: int


@dataclass
class _Cell:
    sequence: int
    adapter: str = ""
    tokens: list[int] = field(default_factory=list)
    busy: bool = False
    released_at: int = 0  # tick of the last release; the smallest is evicted first


class KvBook:
    """Sequences of one context: busy with a turn, or idle and keeping their tokens for reuse."""

    def __init__(self, sequences: int) -> None:
        self._cells = [_Cell(i) for i in range(sequences)]
        self._tick = 0

    @property
    def free(self) -> int:
        """Sequences without a running turn."""
        return sum(not cell.busy for cell in self._cells)

    def acquire(self, adapter: str, prompt: Sequence[int]) -> Placement | None:
        """Claim a sequence for a turn, reusing the longest known prefix; None when all are busy."""
        idle = [cell for cell in self._cells if not cell.busy]
        if not idle:
            return None
        source, shared = self._longest_prefix(adapter, prompt)
        target = self._choose_target(idle, source, shared)
        kept = shared if source is not None else 0
        target.adapter, target.busy = adapter, True
        target.tokens = list(prompt[:kept])
        return Placement(
            target.sequence, target.sequence if source is None else source.sequence, kept
        )

    def _longest_prefix(self, adapter: str, prompt: Sequence[int]) -> tuple[_Cell | None, int]:
        best, best_shared = None, MIN_FORK_TOKENS - 1
        for cell in self._cells:
            # The last prompt token is always computed: its logits choose the first reply token.
            shared = common_prefix(cell.tokens, prompt[:-1]) if cell.adapter == adapter else 0
            if shared > best_shared:
                best, best_shared = cell, shared
        return best, best_shared

    @staticmethod
    def _choose_target(idle: list[_Cell], source: _Cell | None, shared: int) -> _Cell:
        if source is not None and not source.busy and shared == len(source.tokens):
            return source  # the same conversation goes on
        others = [cell for cell in idle if cell is not source] or idle
        return min(others, key=lambda cell: (bool(cell.tokens), cell.released_at))

    def extend(self, sequence: int, tokens: Sequence[int]) -> None:
        """Record that these tokens were computed at the end of a sequence."""
        self._cells[sequence].tokens.extend(tokens)

    def release(self, sequence: int) -> None:
        """The turn is over; its tokens stay for reuse until the sequence is needed."""
        self._tick += 1
        cell = self._cells[sequence]
        cell.busy, cell.released_at = False, self._tick

    def discard(self, sequence: int) -> None:
        """The turn is over and what the sequence holds is not to be trusted."""
        self.release(sequence)
        self._cells[sequence].tokens = []

    def forget_adapter(self, adapter: str) -> None:
        """Drop what idle sequences keep under an adapter that is being unloaded."""
        for cell in self._cells:
            if cell.adapter == adapter and not cell.busy:
                cell.tokens = []


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens two sequences share."""
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return i
    return min(len(left), len(right))
