"""Whether a character has enough feedback to train tonight, and by which method. Pure.

Pairs teach more per row than thumbs, so they win when there are enough of both. Too few rows,
players, or held-out rows mean waiting: without held-out rows the gate could only refuse, and with
too few players one of them would write the character alone. Asking for a method chooses among the
kinds of rows, not among the rules.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import takewhile

from feedback_store.selection import Edited, Labelled, Pair, Snapshot
from personas.persona import Persona
from trainer.errors import ConfigError
from trainer.rows import replay


@dataclass(frozen=True)
class Thresholds:
    """The least feedback to train on; 48 pairs moved the embedded base in our experiments."""

    min_pairs: int = 48
    min_labels: int = 96  # thumbs say less than pairs
    min_of_each_label: int = 16  # KTO needs both kinds
    min_held_out: int = 8  # with fewer, no result differs from chance
    min_players: int = 3
    max_player_share: float = 0.5  # of the training rows

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        counts = (self.min_pairs, self.min_labels, self.min_of_each_label, self.min_held_out)
        if min(*counts, self.min_players) < 1 or not 0 < self.max_player_share <= 1:
            raise ConfigError(
                f"{self}: counts must be at least 1, max_player_share above 0 and at most 1"
            )


@dataclass(frozen=True)
class Plan:
    """Train tonight, by this method and for this reason."""

    method: str
    reason: str


@dataclass(frozen=True)
class Shortage:
    """One count that is below its threshold."""

    what: str
    have: float
    need: float


@dataclass(frozen=True)
class Wait:
    """Do not train tonight. `missing` belongs to the method that lacks least."""

    reason: str
    missing: tuple[Shortage, ...]


@dataclass(frozen=True)
class RowKind:
    """A kind of rows that methods learn from."""

    name: str  # for reasons
    rows: Callable[[Snapshot], Sized]  # to train on; their type is known to the methods only
    missing: Callable[[Snapshot, Thresholds], list[Shortage]]


def decide(
    snapshot: Snapshot, thresholds: Thresholds, candidates: Mapping[str, RowKind]
) -> Plan | Wait:
    """Decide whether to train on this snapshot: by the first candidate with enough rows.

    `candidates` are names of methods with the rows that each needs; a single one was asked for.
    """
    missing = {name: kind.missing(snapshot, thresholds) for name, kind in candidates.items()}
    method = next((name for name, shortages in missing.items() if not shortages), None)
    if method is None:
        nearest = min(missing.values(), key=len)
        return Wait(describe(nearest), tuple(nearest))
    return Plan(method, _reason(method, snapshot, candidates))


def wait_for_designer(persona: Persona) -> Wait | None:
    """Wait where nothing could come of a training: it is off, or the gate could only refuse."""
    if not persona.training.enabled:
        off = f"persona.yaml of {persona.id} says `training: {{enabled: false}}`"
        return Wait(f"training is off: {off}", ())
    return wait_for_lists(persona)


def wait_for_lists(persona: Persona) -> Wait | None:
    """Wait where the gate could only refuse: it cannot read the character's language."""
    closing = [gap for gap in persona.gaps if gap.closes_gate]
    if not closing:
        return None
    told = "; ".join(f"{gap.what}, {gap.remedy}" for gap in closing)
    return Wait(f"the gate cannot check what {persona.id} says: {told}", ())


def lacking_together(snapshots: Sequence[Snapshot], thresholds: Thresholds) -> tuple[Shortage, ...]:
    """What several characters together lack for training on their edits."""
    edits = [row for snapshot in snapshots for row in snapshot.train_edits]
    held_out = sum(len(snapshot.held_out_edits) for snapshot in snapshots)
    return tuple(
        _below(
            Shortage("training edits", len(edits), thresholds.min_pairs),
            Shortage("held-out edits", held_out, thresholds.min_held_out),
            *_player_needs(edits, thresholds),
        )
    )


def describe(missing: Sequence[Shortage]) -> str:
    """The shortages as one sentence."""
    listed = ", ".join(f"{short.have:g} of {short.need:g} {short.what}" for short in missing)
    return f"too little to train on: {listed}"


def _reason(method: str, snapshot: Snapshot, candidates: Mapping[str, RowKind]) -> str:
    if len(candidates) == 1:
        return f"{method} was asked for"
    passed_over = takewhile(lambda name: name != method, candidates)
    kind, too_few = candidates[method], [candidates[name].name for name in passed_over]
    count = len(kind.rows(snapshot))
    return ", ".join([f"{count} {kind.name} are enough", *(f"{name} are not" for name in too_few)])


def _missing_for_pairs(snapshot: Snapshot, at_least: Thresholds) -> list[Shortage]:
    rows, held_out = snapshot.train_pairs, snapshot.held_out_pairs
    return _below(
        Shortage("training pairs", len(rows), at_least.min_pairs),
        Shortage("held-out pairs", len(held_out), at_least.min_held_out),
        *_player_needs(rows, at_least),
    )


def _missing_for_labels(snapshot: Snapshot, at_least: Thresholds) -> list[Shortage]:
    rows, held_out = snapshot.train_labels, snapshot.held_out_labels
    rarer, rarer_held_out = _rarer_label(rows), _rarer_label(held_out)
    return _below(
        Shortage("training thumbs", len(rows), at_least.min_labels),
        Shortage("training thumbs of the rarer kind", rarer, at_least.min_of_each_label),
        Shortage("held-out thumbs", len(held_out), at_least.min_held_out),
        Shortage("held-out thumbs of the rarer kind", rarer_held_out, 1),
        *_player_needs(rows, at_least),
    )


def _missing_for_learning_by_heart(snapshot: Snapshot, at_least: Thresholds) -> list[Shortage]:
    liked = [row for row in snapshot.train_labels if row.desirable]
    rows: list[Edited | Labelled] = [*snapshot.train_edits, *liked]
    return _below(
        Shortage("training edits and liked replies", len(rows), at_least.min_pairs),
        Shortage("held-out pairs", len(snapshot.held_out_pairs), at_least.min_held_out),
        *_player_needs(rows, at_least),
    )


def _player_needs(
    rows: Sequence[Pair | Labelled | Edited], at_least: Thresholds
) -> tuple[Shortage, ...]:
    by_player = Counter(row.player_id for row in rows)
    busiest = max(by_player.values(), default=0) / max(len(rows), 1)
    others, need = 1 - busiest, 1 - at_least.max_player_share
    return (
        Shortage("players", len(by_player), at_least.min_players),
        Shortage("share of rows from others than the busiest player", others, need),
    )


def _below(*needs: Shortage) -> list[Shortage]:
    return [need for need in needs if need.have < need.need]


def _rarer_label(rows: Sequence[Labelled]) -> int:
    good = sum(row.desirable for row in rows)
    return min(good, len(rows) - good)


PAIRS = RowKind("pairs", lambda snapshot: snapshot.train_pairs, _missing_for_pairs)
LABELS = RowKind("thumbs", lambda snapshot: snapshot.train_labels, _missing_for_labels)
EDITS = RowKind("edits and liked replies", replay.rows_of, _missing_for_learning_by_heart)
