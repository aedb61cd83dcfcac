"""What has been computed before: keys and values of token prefixes, kept in host memory.

Sequences of the context belong to running turns alone. What a turn computed is saved when it ends,
and a later turn whose prompt begins alike is given a copy. Keys and values depend on the adapter as
much as on the tokens, so a prefix is shared only within one voice: adapter content hash and scale.
Idle conversations therefore cost memory and nothing else.

A prefix that many turns begin with (a persona's) is pinned: it goes last when memory runs short.
What a conversation did not go on from goes first: replies that were not chosen, and its former
beginning once old lines have left the prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from npc_server.engine.lora.voice import Voice

#: A shorter common prefix is cheaper to compute than to copy.
MIN_SHARED_TOKENS = 16

Blob = npt.NDArray[np.uint8]


@dataclass(eq=False)
class Prefix:
    """The saved state of a sequence that held exactly `tokens`."""

    voice: Voice
    tokens: tuple[int, ...]
    blob: Blob
    pinned: bool
    conversation: str = ""  # that it belongs to; "" = none
    used: int = 0  # tick of the last use; the smallest is evicted first
    superseded: bool = False  # its conversation went on from another one


class PrefixCache:
    """Saved prefixes within a budget of bytes, the least recently used evicted first.

    `can_cut` says whether a saved state can be used for less than all of its tokens.
    """

    def __init__(self, limit_bytes: int, *, can_cut: bool = True) -> None:
        self._limit_bytes = limit_bytes
        self._can_cut = can_cut
        self._prefixes: defaultdict[Voice, list[Prefix]] = defaultdict(list)
        self._tick = 0
        self.bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._prefixes.values()))

    def longest(
        self, voice: Voice, prompt: Sequence[int], conversation: str = ""
    ) -> tuple[Prefix | None, int]:
        """The saved prefix that shares most tokens with a prompt, and how many; it counts as used.

        The last token of the prompt is never shared: its logits choose the first token of the
        reply. Others of the conversation that goes on from there count as superseded.
        """
        wanted = tuple(prompt[:-1])
        best, shared = None, MIN_SHARED_TOKENS - 1
        for prefix in self._prefixes.get(voice, ()):
            common = self.usable_tokens(prefix.tokens, wanted)
            if common > shared:
                best, shared = prefix, common
        if best is None:
            return None, 0
        self._touch(best)
        self._supersede(best, conversation)
        return best, shared

    def usable_tokens(self, known: Sequence[int], wanted: Sequence[int]) -> int:
        """How many tokens of a known state can be used for the wanted prompt."""
        common = common_prefix(known, wanted)
        return common if self._can_cut or common == len(known) else 0

    def covers(self, voice: Voice, tokens: Sequence[int]) -> bool:
        """Whether a saved prefix serves a prompt that begins with all of `tokens`."""
        wanted = tuple(tokens)
        return any(
            self.usable_tokens(prefix.tokens, wanted) == len(wanted)
            for prefix in self._prefixes.get(voice, ())
        )

    def store(
        self,
        voice: Voice,
        tokens: Sequence[int],
        blob: Blob,
        *,
        pinned: bool = False,
        conversation: str = "",
    ) -> None:
        """Keep a prefix; shorter ones of the same text make way for it unless they are pinned."""
        kept = Prefix(voice, tuple(tokens), blob, pinned, conversation)
        for other in list(self._prefixes[voice]):
            same = other.tokens == kept.tokens
            begins = kept.tokens[: len(other.tokens)] == other.tokens
            if same or (begins and self._can_cut and not other.pinned):
                kept.pinned |= other.pinned and same
                self._drop(other)
        self._prefixes[voice].append(kept)
        self.bytes += blob.nbytes
        self._touch(kept)
        self._shrink()

    def forget_adapter(self, adapter: str) -> None:
        """Drop what was computed under an adapter that is gone."""
        for voice in [voice for voice in self._prefixes if voice.adapter == adapter]:
            for prefix in list(self._prefixes[voice]):
                self._drop(prefix)
            self._prefixes.pop(voice, None)

    def _touch(self, prefix: Prefix) -> None:
        self._tick += 1
        prefix.used = self._tick
        prefix.superseded = False

    def _supersede(self, best: Prefix, conversation: str) -> None:
        for other in self._prefixes[best.voice]:
            if conversation and other.conversation == conversation:
                other.superseded = other is not best and not other.pinned

    def _shrink(self) -> None:
        if self.bytes <= self._limit_bytes:
            return
        everything = [prefix for group in self._prefixes.values() for prefix in group]
        for prefix in sorted(everything, key=_worth):
            self._drop(prefix)
            if self.bytes <= self._limit_bytes:
                return

    def _drop(self, prefix: Prefix) -> None:
        self._prefixes[prefix.voice].remove(prefix)
        self.bytes -= prefix.blob.nbytes


def _worth(prefix: Prefix) -> tuple[bool, bool, int]:
    """The order in which prefixes are evicted."""
    return (prefix.pinned, not prefix.superseded, prefix.used)


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens two sequences share; by bisection, since slices compare fast."""
    low, high = 0, min(len(left), len(right))
    if left[:high] == right[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle
    return low
