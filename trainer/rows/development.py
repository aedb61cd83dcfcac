"""Sets players aside for early stopping: pure, the same for the same rows and seed.

Their rows are not trained on, so the loss on them shows when training starts to overfit. The split
is by player, because rows of one player are alike. These are not the players that the gate judges
by: those were held out before.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from trainer.errors import RowsError
from trainer.settings import Schedule

SHARE = 0.1  # of all rows


class PlayerRow(Protocol):
    """A row of feedback."""

    @property
    def player_id(self) -> str:
        """The player who gave it."""


RowT = TypeVar("RowT", bound=PlayerRow)


@dataclass(frozen=True)
class Split(Generic[RowT]):
    """Rows to train on, and rows to stop early by. Both keep their order."""

    train: tuple[RowT, ...]
    development: tuple[RowT, ...]


def split(rows: Sequence[RowT], schedule: Schedule) -> Split[RowT]:
    """Set some players aside if the schedule may stop early. RowsError when there is only one."""
    if schedule.patience == 0:
        return Split(tuple(rows), ())
    counts = Counter(row.player_id for row in rows)
    if len(counts) < 2:
        raise RowsError(
            f"patience is {schedule.patience}, which sets a player aside, but the rows come from"
            f" {len(counts)}; train with patience 0, or wait for more players"
        )
    aside = _aside(counts, schedule.seed)
    return Split(
        tuple(row for row in rows if row.player_id not in aside),
        tuple(row for row in rows if row.player_id in aside),
    )


def _aside(counts: Counter[str], seed: int) -> set[str]:
    """Players in a random order while they fit into the share; the smallest where none does."""
    wanted = counts.total() * SHARE
    players = random.Random(seed).sample(sorted(counts), len(counts))
    taken: set[str] = set()
    for player in players:
        if sum(counts[other] for other in taken) + counts[player] <= wanted:
            taken.add(player)
    return taken or {min(players, key=counts.__getitem__)}
