"""Files that were right and are damaged on purpose: the same damage for the same seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

#: Where counts, lengths and offsets go wrong: around the ends of their types.
_EXTREMES = (0, 1, 7, 255, 1 << 16, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
_MOST_CHANGES = 4
_LONGEST = 48  # bytes of a piece that is taken out or doubled

_Change = Callable[[bytearray, int, random.Random], None]


def damaged(content: bytes, words: Sequence[bytes], head: int, seed: int) -> bytes:
    """A file with up to four changes, in its first `head` bytes; `words` mean something in it."""
    chance = random.Random(seed)
    found = bytearray(content)
    for _ in range(chance.randint(1, _MOST_CHANGES)):
        change = chance.choice([_cut, _turn_over, _count_wrong, _leave_out, _double])
        at = chance.randrange(min(head, len(found)) + 1)
        if words and chance.random() < 0.5:
            found[at:at] = chance.choice(words)
        else:
            change(found, at, chance)
    return bytes(found)


def _cut(content: bytearray, at: int, chance: random.Random) -> None:
    del content[at:]


def _turn_over(content: bytearray, at: int, chance: random.Random) -> None:
    content[at : at + 1] = bytes([chance.randrange(256)])


def _count_wrong(content: bytearray, at: int, chance: random.Random) -> None:
    kind = chance.choice(["<I", "<Q", ">I"])
    size = struct.calcsize(kind)
    content[at : at + size] = struct.pack(kind, chance.choice(_EXTREMES) % (1 << 8 * size))


def _leave_out(content: bytearray, at: int, chance: random.Random) -> None:
    del content[at : at + chance.randint(1, _LONGEST)]


def _double(content: bytearray, at: int, chance: random.Random) -> None:
    content[at:at] = content[at : at + chance.randint(1, _LONGEST)]
