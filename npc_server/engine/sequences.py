"""Which running turn holds which sequence of the context, and what the free ones still hold.

Running turns occupy neighbouring sequences from 0 on, since only neighbours can share a decode: a
turn that ends in the middle makes way for a waiting one, or the last running one is moved there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from npc_server.engine.kv import MIN_SHARED_TOKENS, PrefixCache
from npc_server.engine.llama import Llama
from npc_server.engine.lora.mux import AdapterMux
from npc_server.engine.lora.voice import Voice
from npc_server.engine.protocol import Batching
from npc_server.engine.running_turn import RunningTurn


@dataclass(frozen=True)
class _Contents:
    """The tokens whose keys and values a free sequence still holds, and their voice."""

    voice: Voice = field(default_factory=Voice)
    tokens: tuple[int, ...] = ()


_NOTHING = _Contents()


class Sequences:
    """The sequences of one context; turns claim them, fill them and release them."""

    def __init__(self, llama: Llama, mux: AdapterMux, prefixes: PrefixCache) -> None:
        self._llama = llama
        self._mux = mux
        self._prefixes = prefixes
        self._turns: list[RunningTurn | None] = [None] * llama.shape.sequences
        self._contents = [_NOTHING] * len(self._turns)

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def running(self) -> list[RunningTurn]:
        """Running turns by sequence."""
        return [turn for turn in self._turns if turn is not None]

    @property
    def full(self) -> bool:
        """Whether no sequence is free."""
        return None not in self._turns

    def turn_in(self, sequence: int) -> RunningTurn:
        """The running turn in a sequence."""
        turn = self._turns[sequence]
        assert turn is not None
        return turn

    def claim(self, turn: RunningTurn) -> None:
        """Give the turn the first free sequence."""
        turn.sequence = self._turns.index(None)
        self._turns[turn.sequence] = turn

    def fill(self, turn: RunningTurn) -> int:
        """Fill the turn's sequence with what is known of its prompt; returns how many tokens."""
        prompt, sequence = turn.prompt_ids, turn.sequence
        contents = self._contents[sequence]
        same = contents.voice == turn.voice
        here = self._prefixes.usable_tokens(contents.tokens, prompt[:-1]) if same else 0
        prefix, shared = self._prefixes.longest(turn.voice, prompt, turn.request.conversation)
        self._contents[sequence] = _NOTHING
        if prefix is not None and shared > here:
            self._llama.restore(sequence, prefix.blob)
            here = shared
        if here >= MIN_SHARED_TOKENS and self._llama.trim(sequence, here):
            return here
        self._llama.clear(sequence)
        return 0

    def save(self, turn: RunningTurn, *, pinned: bool = False) -> None:
        """Keep a copy of what the turn has read."""
        blob = self._llama.save(turn.sequence)
        conversation = turn.request.conversation
        self._prefixes.store(turn.voice, turn.read, blob, pinned=pinned, conversation=conversation)

    def release(self, turn: RunningTurn, *, trusted: bool) -> None:
        """Free the turn's sequence; what it holds is kept if the last decode can be trusted.

        Of a turn that nothing goes on from no copy is made, but the next in this sequence may use
        what lies there.
        """
        known = trusted and len(turn.read) >= MIN_SHARED_TOKENS and not turn.request.passing
        if known and not self._prefixes.covers(turn.voice, turn.read):
            self.save(turn)
        self._turns[turn.sequence] = None
        kept = _Contents(turn.voice, tuple(turn.read)) if trusted else _NOTHING
        self._contents[turn.sequence] = kept
        turn.sequence = -1

    def close_gaps(self) -> int:
        """Move the last running turns into free sequences among the running ones.

        Returns how many were moved.
        """
        moved = 0
        while self._mux.batching is Batching.MIXED:
            running = self.running
            gap = len(self) if self.full else self._turns.index(None)
            if gap >= len(running):
                break
            self._move(running[-1], gap)
            moved += 1
        return moved

    def _move(self, turn: RunningTurn, target: int) -> None:
        source = turn.sequence
        self._llama.restore(target, self._llama.save(source))
        self._mux.move(source, target)
        self._turns[source], self._turns[target] = None, turn
        self._contents[source] = self._contents[target] = _NOTHING
        turn.sequence = target
