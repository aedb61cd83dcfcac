"""How fast a player may send."""

import pytest

from feedback_store import rate_limit
from feedback_store.rate_limit import Buckets, RateLimit


def test_a_burst_is_taken_then_the_bucket_fills_slowly() -> None:
    buckets = Buckets(RateLimit(events_per_minute=60, burst=3))
    assert [buckets.take("ann", 0.0) for _ in range(4)] == [0, 0, 0, 1.0]
    assert buckets.take("ann", 0.25) == pytest.approx(0.75)
    assert buckets.take("ann", 1.0) == 0


def test_coming_back_after_hours_gives_one_burst() -> None:
    buckets = Buckets(RateLimit(events_per_minute=60, burst=3))
    buckets.take("ann", 0.0)
    waits = [buckets.take("ann", 1e5) for _ in range(5)]
    assert [wait > 0 for wait in waits] == [False, False, False, True, True]


def test_players_do_not_share_a_bucket() -> None:
    buckets = Buckets(RateLimit(events_per_minute=60, burst=1))
    assert [buckets.take(player, 0.0) for player in ("ann", "bob")] == [0, 0]


def test_no_limit_refuses_nothing() -> None:
    buckets = Buckets(RateLimit(events_per_minute=0, burst=1))
    assert not any(buckets.take("ann", 0.0) for _ in range(1000))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_PLAYERS", 10)
    buckets = Buckets(RateLimit(events_per_minute=60, burst=1))
    for number in range(1000):
        buckets.take(f"player {number}", 0.0)
    assert len(buckets._buckets) == 10
