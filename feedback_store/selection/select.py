"""Which stored rows teach what: pure, from turns and events to everything one training sees.

The same turns and events in any order give the same snapshot, with the same hash. The steps: what
players stated (`evidence`), what cannot teach (`filters`), who and what is held out (`splits`);
then, on each side alone, whom to trust (`voters`), pairs from thumbs (`opposite_thumbs`), repeated
lessons (`likeness`), how much one player may have, in training (`player_caps`), and which
prompts are disputed (`prompts`). Nothing disappears silently: every row that was not taken is
counted under its reason.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from feedback_store.records import Event, Turn
from feedback_store.rows import canonical
from feedback_store.selection.evidence import statements
from feedback_store.selection.filters import fault
from feedback_store.selection.lessons import (
    Drop,
    Dropped,
    Edited,
    Labelled,
    Origin,
    Pair,
    Prompt,
)
from feedback_store.selection.likeness import Likeness, RowT, likeness, unique, without_floods
from feedback_store.selection.openings import openings
from feedback_store.selection.opposite_thumbs import opposite_thumbs
from feedback_store.selection.player_caps import capped
from feedback_store.selection.prompts import prompts
from feedback_store.selection.rules import DEFAULT_RULES, Rules
from feedback_store.selection.splits import split
from feedback_store.selection.voters import Trusted, discount_contrarians

_ROW_FIELDS = tuple(
    f"{side}_{kind}"
    for side in ("train", "held_out")
    for kind in ("pairs", "labels", "edits", "prompts")
)


@dataclass(frozen=True)
class Snapshot:
    """Everything one training of one character sees, and its name: the hash of all rows."""

    character: str
    train_pairs: tuple[Pair, ...]
    held_out_pairs: tuple[Pair, ...]
    train_labels: tuple[Labelled, ...]
    held_out_labels: tuple[Labelled, ...]
    train_edits: tuple[Edited, ...]
    held_out_edits: tuple[Edited, ...]
    train_prompts: tuple[Prompt, ...]  # of both sides only the number is read today
    held_out_prompts: tuple[Prompt, ...]
    dropped: Mapping[str, int]  # rows, by Drop
    left_out: Mapping[str, Drop]  # by id, the events that no row was made from
    discounted_players: tuple[str, ...]  # whose votes contradict all others, sorted
    discounted_rows: int  # of theirs, before any was left out
    hash: str
    # By turn id, how many of a row's messages its persona began every conversation with.
    openings: Mapping[str, int] = field(default_factory=dict)

    @property
    def row_counts(self) -> dict[str, int]:
        """How many rows each field of rows holds, by its name."""
        return {name: len(getattr(self, name)) for name in _ROW_FIELDS}

    @property
    def players(self) -> tuple[str, ...]:
        """The players whose feedback is trained on, sorted."""
        of_pairs = {pair.player_id for pair in self.train_pairs}  # those of the edits too
        disliking = {pair.rejected_by for pair in self.train_pairs} - {""}
        return tuple(sorted(of_pairs | disliking | {row.player_id for row in self.train_labels}))


def select(
    character: str, turns: Iterable[Turn], events: Iterable[Event], rules: Rules = DEFAULT_RULES
) -> Snapshot:
    """The training and held-out rows of one character; the events are about its turns."""
    known = {turn.turn_id: turn for turn in turns if turn.character == character}
    said = list(events)
    evidence = statements(known, said)
    able, unable = _able(evidence.rows)
    sides = split(able, known.values(), rules)
    train = _with_edits(_within_shares(_distinct(sides.train, rules), rules))
    train = _with_edits_within_shares(train, rules)
    held_out = _with_edits(_distinct(sides.held_out, rules))
    dropped = [*evidence.dropped, *unable, *sides.dropped, *train.dropped, *held_out.dropped]
    taken = _snapshot(character, rules, train, held_out, _Fates(said, dropped))
    return replace(taken, openings=_openings_of(taken, known.values()))


def _openings_of(taken: Snapshot, turns: Iterable[Turn]) -> Mapping[str, int]:
    of_pairs = {pair.turn_id for pair in (*taken.train_pairs, *taken.held_out_pairs)}
    judged = of_pairs | {row.turn_id for row in (*taken.train_labels, *taken.held_out_labels)}
    return {turn_id: size for turn_id, size in openings(turns).items() if turn_id in judged}


class Change(Protocol):
    """Maps a row to its replacement, or to None to drop it."""

    def __call__(self, row: RowT) -> RowT | None:
        """The replacement of `row`; None drops it."""


def changed(snapshot: Snapshot, change: Change) -> Snapshot:
    """The snapshot with every row changed; under another name, unless all rows are as before.

    Prompts follow from the rows. Its counts of dropped rows stay those of the selection.
    """
    made = replace(
        snapshot,
        train_pairs=_changed_rows(snapshot.train_pairs, change),
        held_out_pairs=_changed_rows(snapshot.held_out_pairs, change),
        train_labels=_changed_rows(snapshot.train_labels, change),
        held_out_labels=_changed_rows(snapshot.held_out_labels, change),
        train_edits=_changed_rows(snapshot.train_edits, change),
        held_out_edits=_changed_rows(snapshot.held_out_edits, change),
    )
    return snapshot if made == snapshot else _with_new_name(made)


def _changed_rows(rows: Iterable[RowT], change: Change) -> tuple[RowT, ...]:
    made = (change(row) for row in rows)
    return tuple(row for row in made if row is not None)


def _with_new_name(made: Snapshot) -> Snapshot:
    """With the prompts of its rows, and a name made of its former one and its rows."""
    sides = (
        (made.train_pairs, made.train_labels, made.train_edits),
        (made.held_out_pairs, made.held_out_labels, made.held_out_edits),
    )
    return replace(
        made,
        train_prompts=prompts([*made.train_pairs, *made.train_labels]),
        held_out_prompts=prompts([*made.held_out_pairs, *made.held_out_labels]),
        hash=_sha256([made.hash, _hashes(sides)]),
    )


def _able(rows: Iterable[Pair | Labelled]) -> tuple[list[Pair | Labelled], list[Dropped]]:
    judged = [(row, fault(row)) for row in rows]
    unable = [Dropped(row.event_id, why) for row, why in judged if why]
    return [row for row, why in judged if why is None], unable


@dataclass(frozen=True)
class _Side:
    """The rows that are left of one side."""

    pairs: list[Pair]
    labels: list[Labelled]
    edits: list[Edited]
    alike: Likeness
    trusted: Trusted
    dropped: list[Dropped]


def _distinct(rows: list[Pair | Labelled], rules: Rules) -> _Side:
    """Keep each lesson once, with the weight that its player is trusted with."""
    alike = likeness(rows)
    trusted = discount_contrarians(rows, alike, rules)
    labels = [row for row in trusted.rows if isinstance(row, Labelled)]
    pairs = [row for row in trusted.rows if isinstance(row, Pair)]
    made = opposite_thumbs(row for row in labels if row.player_id not in trusted.players)
    calm, floods = without_floods([*pairs, *made], rules.max_repeats)
    own_pairs, repeated = unique(calm, alike)
    own_labels, repeated_labels = unique(labels, alike)
    dropped = [*floods, *repeated, *repeated_labels]
    return _Side(own_pairs, own_labels, [], alike, trusted, dropped)


def _within_shares(side: _Side, rules: Rules) -> _Side:
    """Leave no player more than a share of the rows."""
    pairs, many_pairs = capped(side.pairs, rules, rules.max_pairs)
    labels, many_labels = capped(side.labels, rules)
    dropped = [*side.dropped, *many_pairs, *many_labels]
    return replace(side, pairs=pairs, labels=labels, dropped=dropped)


def _with_edits(side: _Side) -> _Side:
    """Add the corrections of the pairs that are left, as text to be learned by heart."""
    written = [_edit_of(pair) for pair in side.pairs if pair.origin is Origin.EDIT]
    edits, repeated = unique(written, side.alike)
    return replace(side, edits=edits, dropped=[*side.dropped, *repeated])


def _with_edits_within_shares(side: _Side, rules: Rules) -> _Side:
    edits, many = capped(side.edits, rules)
    return replace(side, edits=edits, dropped=[*side.dropped, *many])


def _edit_of(pair: Pair) -> Edited:
    return Edited(
        prompt_ids=pair.prompt_ids,
        completion=pair.chosen,
        weight=pair.weight,
        player_id=pair.player_id,
        session_id=pair.session_id,
        turn_id=pair.turn_id,
        player_text=pair.player_text,
        messages=pair.messages,
        event_id=pair.event_id,
        held_out_by=pair.held_out_by,
    )


@dataclass(frozen=True)
class _Fates:
    """All events, and what was dropped of what they stated."""

    events: list[Event]
    dropped: list[Dropped]

    def counts(self) -> Mapping[str, int]:
        """Dropped rows by reason."""
        return dict(sorted(Counter(str(drop.why) for drop in self.dropped).items()))

    def left_out(self, used: Set[str]) -> Mapping[str, Drop]:
        """The first reason for each event that is not used."""
        reasons = {drop.event_id: drop.why for drop in reversed(self.dropped)}
        unused = {event.event_id for event in self.events} - used
        return {event_id: reasons[event_id] for event_id in sorted(unused)}


def _snapshot(
    character: str, rules: Rules, train: _Side, held_out: _Side, fates: _Fates
) -> Snapshot:
    sides = train, held_out
    by_pairs = {pair.event_id for side in sides for pair in side.pairs}  # the edits' too
    used = by_pairs | {label.event_id for side in sides for label in side.labels}
    disputed = [prompts([*side.pairs, *side.labels]) for side in sides]
    return Snapshot(
        character=character,
        train_pairs=_in_order(train.pairs),
        held_out_pairs=_in_order(held_out.pairs),
        train_labels=_in_order(train.labels),
        held_out_labels=_in_order(held_out.labels),
        train_edits=_in_order(train.edits),
        held_out_edits=_in_order(held_out.edits),
        train_prompts=disputed[0],
        held_out_prompts=disputed[1],
        dropped=fates.counts(),
        left_out=fates.left_out(used),
        discounted_players=tuple(sorted(train.trusted.players | held_out.trusted.players)),
        discounted_rows=train.trusted.discounted_rows + held_out.trusted.discounted_rows,
        hash=_name(character, rules, sides),
    )


def _in_order(rows: Iterable[RowT]) -> tuple[RowT, ...]:
    # By content: the same for any input order, and players and labels come well mixed.
    return tuple(sorted(rows, key=lambda row: row.hash))


def _name(character: str, rules: Rules, sides: Iterable[_Side]) -> str:
    # The prompts follow from the rows.
    hashes = _hashes((side.pairs, side.labels, side.edits) for side in sides)
    return _sha256([character, asdict(rules), hashes])


def _hashes(sides: Iterable[Iterable[Iterable[Pair | Labelled | Edited]]]) -> list[list[str]]:
    return [sorted(row.hash for row in rows) for side in sides for rows in side]


def _sha256(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
