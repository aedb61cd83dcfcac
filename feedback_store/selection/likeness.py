"""Which rows teach the same lesson, and how often one player may state it.

Rows on one line of the players with nearly the same texts are one lesson, whatever went before in
the conversation: it is taught once, by the row that is trusted most, and agreement does not make it
heavier.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from feedback_store.selection.lessons import Drop, Dropped, Edited, Labelled, Origin, Pair
from feedback_store.selection.near_text import groups, line_key, normalised

RowT = TypeVar("RowT", Pair, Labelled, Edited)
Lesson = tuple[object, ...]


@dataclass(frozen=True)
class Likeness:
    """What is nearly the same among the rows of one side."""

    lines: Mapping[str, str]  # a player's text -> its line key
    replies: Mapping[str, Mapping[str, str]]  # line key -> normalised reply -> its group

    def line(self, row: Pair | Labelled | Edited) -> str:
        """The line key of a row."""
        return self.lines[row.player_text]

    def reply(self, row: Pair | Labelled | Edited, text: str) -> str:
        """The group of one of the row's texts."""
        return self.replies[self.line(row)][normalised(text)]

    def lesson(self, row: Pair | Labelled | Edited) -> Lesson:
        """Equal for rows that teach nearly the same."""
        return self.line(row), *(self.reply(row, text) for text in texts(row)), _sign(row)


def likeness(rows: Iterable[Pair | Labelled]) -> Likeness:
    """Compare all texts that were said to the same line."""
    lines: dict[str, str] = {}
    replies: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.player_text not in lines:
            lines[row.player_text] = line_key(row.player_text)
        replies[lines[row.player_text]].update(map(normalised, texts(row)))
    return Likeness(lines, {line: groups(said) for line, said in replies.items()})


def texts(row: Pair | Labelled | Edited) -> tuple[str, ...]:
    """What a row teaches to say, and what not to."""
    return (row.chosen, row.rejected) if isinstance(row, Pair) else (row.completion,)


def trusted_first(rows: Iterable[RowT]) -> list[RowT]:
    """The rows in the order in which they are taken."""
    return sorted(rows, key=lambda row: (-row.weight, row.hash))


def unique(rows: Iterable[RowT], alike: Likeness) -> tuple[list[RowT], list[Dropped]]:
    """One row per lesson, and the others."""
    kept: list[RowT] = []
    dropped: list[Dropped] = []
    taught: set[Lesson] = set()
    exactly: set[Lesson] = set()
    for row in trusted_first(rows):
        same, near = _exact(row), alike.lesson(row)
        if near in taught:
            why = Drop.DUPLICATE if same in exactly else Drop.NEAR_DUPLICATE
            dropped.append(Dropped(row.event_id, why))
        else:
            kept.append(row)
        taught.add(near)
        exactly.add(same)
    return kept, dropped


def without_floods(rows: Sequence[Pair], most: int) -> tuple[list[Pair], list[Dropped]]:
    """At most `most` nearly equal corrections per player, over all lines."""
    written: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.origin is Origin.EDIT:
            written[row.player_id].add(normalised(row.chosen))
    group = {player: groups(said) for player, said in written.items()}
    said: Counter[tuple[str, str]] = Counter()
    kept: list[Pair] = []
    dropped: list[Dropped] = []
    for row in trusted_first(rows):
        if row.origin is Origin.EDIT:
            statement = row.player_id, group[row.player_id][normalised(row.chosen)]
            said[statement] += 1
            if said[statement] > most:
                dropped.append(Dropped(row.event_id, Drop.FLOOD))
                continue
        kept.append(row)
    return kept, dropped


def _exact(row: Pair | Labelled | Edited) -> Lesson:
    return row.prompt_ids, *map(normalised, texts(row)), _sign(row)


def _sign(row: Pair | Labelled | Edited) -> bool:
    return row.desirable if isinstance(row, Labelled) else True
