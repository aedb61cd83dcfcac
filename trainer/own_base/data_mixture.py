"""The rows of several characters in one training: what the game's voices have in common.

A character that few have talked to gains from what players taught the others. So a first
stage learns the rows of all of them together by supervised fine-tuning, and each character's own
training goes on from the base that results. Every character has the same part in it, however
many rows it has. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, cycle, islice, zip_longest
from statistics import geometric_mean
from typing import TypeVar

from feedback_store.selection import Snapshot
from trainer.rows.replay import Rows, liked_replies

ItemT = TypeVar("ItemT")


def mix(snapshots: Mapping[str, Snapshot]) -> Rows:
    """Mix the rows of all characters, by character id, each with the same part in the edits.

    Liked replies come in turn, so that any number of them is as evenly drawn as they allow.
    """
    in_order = [snapshots[character] for character in sorted(snapshots)]
    edits = even_parts([snapshot.train_edits for snapshot in in_order])
    return Rows(edits, round_robin([liked_replies(snapshot) for snapshot in in_order]))


def even_parts(groups: Iterable[Sequence[ItemT]]) -> tuple[ItemT, ...]:
    """Equally many of each group that has any, taken in turn.

    That is the geometric mean of their sizes: between repeating the small ones and thinning out the
    large ones, neither is done by a greater factor than the other.
    """
    some = [group for group in groups if group]
    if not some:
        return ()
    part = round(geometric_mean([len(group) for group in some]))
    return round_robin([tuple(islice(cycle(group), part)) for group in some])


def round_robin(groups: Iterable[Sequence[ItemT]]) -> tuple[ItemT, ...]:
    """The first of each group, then the second of each, until all are through."""
    boxed = ([(row,) for row in group] for group in groups)
    rounds = zip_longest(*boxed, fillvalue=())
    return tuple(chain.from_iterable(chain.from_iterable(rounds)))
