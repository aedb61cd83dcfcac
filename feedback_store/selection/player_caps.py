"""How many rows one player may have, so that none writes a character alone.

A share of all rows depends on how many are kept, which depends on the cap: the cap is the largest
number c for which c rows are at most that share of what is kept when nobody has more than c. While
there are few players the share is larger, or nothing could be kept at all.
"""

from collections import Counter
from collections.abc import Collection, Iterable

from feedback_store.selection.lessons import Drop, Dropped
from feedback_store.selection.likeness import RowT, trusted_first
from feedback_store.selection.rules import Rules


def capped(
    rows: Iterable[RowT], rules: Rules, most: int | None = None
) -> tuple[list[RowT], list[Dropped]]:
    """The rows each player may keep, the most trusted first, and the others.

    `most` limits their number whatever the share; None = no limit.
    """
    in_order = trusted_first(rows)
    counts = Counter(row.player_id for row in in_order)
    limit = cap(counts.values(), player_share(len(counts), rules), most)
    had: Counter[str] = Counter()
    kept: list[RowT] = []
    dropped: list[Dropped] = []
    for row in in_order:
        had[row.player_id] += 1
        if had[row.player_id] <= limit:
            kept.append(row)
        else:
            dropped.append(Dropped(row.event_id, Drop.PLAYER_SHARE))
    return kept, dropped


def player_share(players: int, rules: Rules) -> float:
    """The largest share of rows that one of `players` players may have."""
    return max(rules.max_player_share, rules.scarce_player_share / max(players, 1))


def cap(counts: Collection[int], share: float, most: int | None = None) -> int:
    """The largest c, at least 1, with c <= share * (all rows when each player has at most c)."""
    highest = max(counts, default=1)
    highest = highest if most is None else min(highest, most)
    fitting = (c for c in range(highest, 1, -1) if c <= share * sum(min(n, c) for n in counts))
    return next(fitting, 1)
