"""How often a scorer agrees with players it never saw: pure.

Rows of one player agree with each other, so chance is drawn over players; and few rows prove little
even where all agree. The interval is the wider of both: Wilson's, and a bootstrap over players.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from feedback_store.statistics import Interval, wilson

RESAMPLES = 2000
_TAIL = 0.025  # of each side: 95 % between


@dataclass(frozen=True)
class JudgedPair:
    """One held-out pair, and by how much its chosen reply was scored above the rejected one."""

    player_id: str
    margin: float


@dataclass(frozen=True)
class Agreement:
    """The share of pairs whose chosen reply was scored higher; a tie is no agreement."""

    share: float
    interval: Interval  # 95 %
    pairs: int
    players: int


def agreement(judged: Sequence[JudgedPair]) -> Agreement:
    """Measure the agreement on at least one pair. The same pairs always give the same interval."""
    by_player: dict[str, list[bool]] = defaultdict(list)
    for pair in sorted(judged, key=lambda pair: pair.player_id):
        by_player[pair.player_id].append(pair.margin > 0)
    players = list(by_player.values())
    drawn = _resample_shares(players)
    by_rows = wilson(sum(map(sum, players)), len(judged))
    assert by_rows is not None  # there are rows
    low, high = drawn[int(_TAIL * RESAMPLES)], drawn[-1 - int(_TAIL * RESAMPLES)]
    interval = Interval(min(low, by_rows.low), max(high, by_rows.high))
    return Agreement(_share(players), interval, len(judged), len(players))


def _resample_shares(players: Sequence[Sequence[bool]]) -> list[float]:
    chance = random.Random(0)
    return sorted(_share(chance.choices(players, k=len(players))) for _ in range(RESAMPLES))


def _share(players: Sequence[Sequence[bool]]) -> float:
    rows = [right for of_player in players for right in of_player]
    return sum(rows) / len(rows)
