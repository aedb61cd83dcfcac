"""Players whose votes contradict all others: how to find them, and how much their rows still weigh.

Only what at least two others judged as well can be compared: a reply to the same line, good or bad,
or two replies, the one better or the other. Where the others disagree among themselves nobody is
wrong: their majority must be clear, or a large minority of one taste would be silenced. It takes
several such items to stand out, so an unusual taste on a few costs nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from feedback_store.selection.lessons import Labelled, Origin, Pair
from feedback_store.selection.likeness import Likeness
from feedback_store.selection.rules import Rules

MIN_LEAD = 2  # votes that the others' majority is ahead by
MIN_LEAD_SHARE = 0.5  # of the others' votes: three in four of them agree
_MEANT = (Origin.THUMB, Origin.RATING, Origin.CHOICE, Origin.EDIT)

Item = tuple[object, ...]
Votes = Mapping[Item, Mapping[str, int]]  # by player; above 0 for, below against


@dataclass(frozen=True)
class Trusted:
    """The rows, each weighted by how far its player is trusted."""

    rows: list[Pair | Labelled]
    players: frozenset[str]  # those discounted
    discounted_rows: int


def discount_contrarians(rows: list[Pair | Labelled], alike: Likeness, rules: Rules) -> Trusted:
    """Discount the rows of players whose votes contradict all others."""
    players = contrarians(votes(rows, alike), rules)
    lighter = [
        replace(row, weight=row.weight * rules.discount) if row.player_id in players else row
        for row in rows
    ]
    return Trusted(lighter, players, sum(row.player_id in players for row in rows))


def contrarians(votes: Votes, rules: Rules) -> frozenset[str]:
    """The players who share enough items with others and agree with them on too few."""
    shared: dict[str, int] = defaultdict(int)
    agreed: dict[str, int] = defaultdict(int)
    for by_player in votes.values():
        decided = {player: _sign(vote) for player, vote in by_player.items() if vote}
        total = sum(decided.values())
        for player, vote in decided.items():
            others = total - vote
            if abs(others) >= max(MIN_LEAD, MIN_LEAD_SHARE * (len(decided) - 1)):
                shared[player] += 1
                agreed[player] += vote == _sign(others)
    return frozenset(
        player
        for player, items in shared.items()
        if items >= rules.min_shared_items and agreed[player] <= rules.max_agreement * items
    )


def votes(rows: Iterable[Pair | Labelled], alike: Likeness) -> Votes:
    """What each player thinks of each item they judged on purpose."""
    found: dict[Item, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        if row.origin in _MEANT:
            item, vote = _vote(row, alike)
            found[item][row.player_id] += vote
    return found


def _vote(row: Pair | Labelled, alike: Likeness) -> tuple[Item, int]:
    line = alike.line(row)
    match row:
        case Labelled(completion=completion, desirable=desirable):
            return (line, alike.reply(row, completion)), 1 if desirable else -1
        case Pair(chosen=chosen, rejected=rejected):
            better, worse = alike.reply(row, chosen), alike.reply(row, rejected)
            return (line, *sorted((better, worse))), 1 if better <= worse else -1


def _sign(vote: int) -> int:
    return (vote > 0) - (vote < 0)
