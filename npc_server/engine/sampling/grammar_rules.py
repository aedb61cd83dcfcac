"""A grammar as data: rules of alternatives of elements.

An element is a set of characters or another rule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

LAST_CHARACTER = 0x10FFFF


@dataclass(frozen=True)
class Chars:
    """One character out of sorted, separate, inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]

    def holds(self, character: int) -> bool:
        """Whether the character is one of them."""
        return self.meets(character, character)

    def meets(self, low: int, high: int) -> bool:
        """Whether any character from `low` to `high` is one of them."""
        last = bisect_right(self.ranges, (high, LAST_CHARACTER)) - 1
        return last >= 0 and self.ranges[last][1] >= low


@dataclass(frozen=True)
class Ref:
    """Whatever the rule with this number stands for."""

    rule: int


Element = Chars | Ref
Alternative = tuple[Element, ...]
ANY = Chars(((0, LAST_CHARACTER),))


@dataclass(frozen=True)
class Grammar:
    """Rules by number; each is its alternatives, and each alternative its elements."""

    rules: tuple[tuple[Alternative, ...], ...]
    root: int


@dataclass
class DraftRule:
    """A rule while its grammar is read."""

    number: int
    name: str  # "" = made from a group or a repetition
    offset: int  # of its definition, or of the first place that needs it
    alternatives: list[Alternative] = field(default_factory=list)
    defined: bool = False
    loops: bool = False  # its last element may be itself, which is how repetition is written


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same characters in sorted, separate ranges."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges of all other characters."""
    start = 0
    for low, high in merged(ranges):
        if low > start:
            yield start, low - 1
        start = high + 1
    if start <= LAST_CHARACTER:
        yield start, LAST_CHARACTER
