"""In which order waiting turns begin: those who share the engine take turns, whoever has more.

Every turn gets a round when it comes: the next one of its party, and at least the one that is being
served. Turns begin by round, those of a round as they came. So a party with hundreds of waiting
turns puts off another's by one turn, and one alone is served as they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Rounds:
    """Hands out rounds. One thread uses it."""

    def __init__(self) -> None:
        self._served = 0
        self._begun: dict[str, int] = {}  # the round of each party's latest turn that began

    def next_of(self, party: str, waiting: Iterable[int]) -> int:
        """The round of a turn that has just come; `waiting` are those of its party that wait."""
        latest = max([self._begun.get(party, 0), *waiting])
        return max(self._served, latest + 1)

    def begin(self, party: str, number: int) -> None:
        """Note that a turn of this round begins."""
        self._served = max(self._served, number)
        self._begun[party] = number
        # A party whose latest turn is long over is as one that was never here.
        self._begun = {party: last for party, last in self._begun.items() if last >= self._served}


def crowding_party(waiting: Iterable[str], newcomer: str) -> str | None:
    """Which party's newest waiting turn makes room for a newcomer; None = nobody's.

    It has two more than the newcomer's at least: a full queue is shared among those who fill it.
    """
    counts = Counter(waiting)
    party, most = max(counts.items(), key=lambda one: one[1], default=(newcomer, 0))
    return party if most > counts[newcomer] + 1 else None
