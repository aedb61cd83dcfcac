"""How fast one player may send events: one token bucket per player, without a clock of its own.

A bucket holds `burst` events and fills at `events_per_minute`; each event takes one out. After a
pause a player may send a full burst again, as a game does that was offline.
"""

from collections import OrderedDict
from dataclasses import dataclass

MAX_PLAYERS = 100_000  # buckets kept; beyond it, the one unused for longest is dropped


@dataclass(frozen=True)
class RateLimit:
    """What one player may send."""

    events_per_minute: float = 60.0  # 0 = no limit
    burst: int = 240


@dataclass(frozen=True)
class _Bucket:
    events: float
    at_s: float


class Buckets:
    """The players' buckets. One thread uses it."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, player_id: str, now_s: float) -> float:
        """Take one event out; returns 0, or how many seconds to wait when there is none."""
        per_s = self._limit.events_per_minute / 60
        if per_s == 0:
            return 0.0
        had = self._buckets.pop(player_id, _Bucket(self._limit.burst, now_s))
        events = min(self._limit.burst, had.events + (now_s - had.at_s) * per_s)
        allowed = events >= 1
        self._buckets[player_id] = _Bucket(events - 1 if allowed else events, now_s)
        if len(self._buckets) > MAX_PLAYERS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - events) / per_s
