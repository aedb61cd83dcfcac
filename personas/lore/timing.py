"""When entries were told, and what follows: told again for a while, then not for a while. Pure.

All follows from the turns at which an entry was told, so a conversation that is taken up again from
its stored turns goes on as it would have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from personas.lore.entries import Entry

#: The turns at which each entry was told, in ascending order, by its source.
Told = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Phase:
    """Where an entry is between being told and being told again."""

    begun: int | None = None  # the turn it fired at last; None = never
    again: bool = False  # it is told again, without its keys
    rests: int = 0  # turns until it may fire again; 0 = it may


def phase_of(entry: Entry, told_at: Iterable[int], turn: int) -> Phase:
    """The phase of an entry at a turn, which is the number of exchanges before it."""
    begun: int | None = None
    for at in told_at:
        if at < turn and (begun is None or at > begun + entry.sticky):
            begun = at
    if begun is None:
        return Phase()
    told_until = begun + entry.sticky
    if turn <= told_until:
        return Phase(begun, again=True)
    return Phase(begun, rests=max(0, told_until + entry.cooldown - turn + 1))


def told_by_source(turns: Iterable[Iterable[str]]) -> dict[str, list[int]]:
    """When each source was told, from the sources told at each turn."""
    told: dict[str, list[int]] = {}
    for turn, sources in enumerate(turns):
        for source in sources:
            told.setdefault(source, []).append(turn)
    return told
