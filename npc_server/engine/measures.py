"""Counting values into buckets, cheaply enough to do it in every step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from npc_server.engine.protocol import Histogram

MILLISECONDS = (1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
PER_SECOND = (1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 400)
SMALL_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)


class Tally:
    """A histogram that grows; each bucket takes values up to and including its bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def histogram(self) -> Histogram:
        """What was counted so far."""
        return Histogram(self._bounds, tuple(self._counts), self._sum)
