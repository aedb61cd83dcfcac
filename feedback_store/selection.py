"""Which stored rows teach what: pure, from turns and events to preference pairs and labelled rows.

The same turns and events in any order give the same snapshot, with the same hash. Players are held
out by a hash of their id, so the same ones stay unseen by every training; what a held-out player
said is kept out of the training rows of the others too. Nothing disappears silently: every row
that was not taken is counted under its reason.
"""

import difflib
import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from feedback_store.records import Choice, Edit, Event, Thumb, Turn
from feedback_store.rows import canonical

NEAR_EQUAL_RATIO = 0.95  # difflib ratio above which a pair teaches only noise
MAX_LENGTH_RATIO = 2.5  # in characters; above it a choice teaches length rather than voice
WHOLE = "stop"  # finish reason of a reply that ended by itself
SWIPE_WEIGHT = 0.7  # going on with the newest take is weaker evidence than going back to an older


class Source(StrEnum):
    """What a preference pair was made from."""

    EDIT = "edit"
    """The player's own words over the reply."""
    CHOICE = "choice"
    """The kept reply over one that was shown beside it."""


class Drop(StrEnum):
    """Why a row was not taken."""

    UNKNOWN_TURN = "unknown_turn"
    """It points to a turn that is not among the given ones."""
    SUPERSEDED = "superseded"
    """The same player said otherwise later."""
    OTHER_PROMPT = "other_prompt"
    """The two replies of a choice answer different prompts."""
    EMPTY_CHOSEN = "empty_chosen"
    """The preferred or rated text is blank."""
    CUT_SHORT = "cut_short"
    """The preferred reply did not end by itself: it would teach to stop in mid-sentence."""
    EQUAL = "equal"
    """Both texts are the same but for case and spacing."""
    NEAR_EQUAL = "near_equal"
    """The texts differ by too little to teach anything."""
    LENGTH_RATIO = "length_ratio"
    """One choice is so much longer that it teaches length."""
    DUPLICATE = "duplicate"
    """An equal row is in the snapshot already."""
    PROMPT_HELD_OUT = "prompt_held_out"
    """A held-out player said the same line."""


@dataclass(frozen=True)
class Pair:
    """For this prompt the chosen reply is better than the rejected one."""

    prompt_ids: tuple[int, ...]
    chosen: str
    rejected: str
    source: Source
    weight: float  # in (0, 1], how far the evidence is to be trusted
    player_id: str
    session_id: str
    turn_id: str
    player_text: str
    messages: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Labelled:
    """For this prompt the completion is good, or bad."""

    prompt_ids: tuple[int, ...]
    completion: str
    desirable: bool
    player_id: str
    session_id: str
    turn_id: str
    player_text: str
    messages: tuple[dict[str, str], ...]


_Row = TypeVar("_Row", bound=Pair | Labelled)


@dataclass(frozen=True)
class Snapshot:
    """Everything one training of one character sees, and its name: the hash of all rows."""

    character: str
    train_pairs: tuple[Pair, ...]
    held_out_pairs: tuple[Pair, ...]
    train_labels: tuple[Labelled, ...]
    held_out_labels: tuple[Labelled, ...]
    dropped: Mapping[str, int]  # by Drop
    hash: str

    @property
    def players(self) -> tuple[str, ...]:
        """Whose rows are trained on, sorted."""
        rows: tuple[Pair | Labelled, ...] = (*self.train_pairs, *self.train_labels)
        return tuple(sorted({row.player_id for row in rows}))


def select(
    character: str,
    turns: Iterable[Turn],
    events: Iterable[Event],
    held_out_share: float = 0.2,
) -> Snapshot:
    """The training and held-out rows of one character.

    Events must be about turns of this character. `held_out_share` is the expected share of players,
    not of rows. Raises ValueError when it is not in [0, 1).
    """
    if not 0 <= held_out_share < 1:
        raise ValueError(f"held_out_share is {held_out_share}; it must be in [0, 1)")
    known = {turn.turn_id: turn for turn in turns if turn.character == character}
    dropped: Counter[str] = Counter()
    said = _last_words(events, known, dropped)
    pairs = _split([row for row in said if isinstance(row, Pair)], held_out_share, dropped)
    labels = _split([row for row in said if isinstance(row, Labelled)], held_out_share, dropped)
    unseen: list[Pair | Labelled] = [*pairs.held_out, *labels.held_out]
    lines = {normalised(row.player_text) for row in unseen}
    splits = (
        _unseen(pairs.train, lines, dropped),
        _in_order(pairs.held_out),
        _unseen(labels.train, lines, dropped),
        _in_order(labels.held_out),
    )
    name = _digest([character, *([_row_digest(row) for row in split] for split in splits)])
    return Snapshot(character, *splits, dropped=dict(sorted(dropped.items())), hash=name)


def is_held_out(player_id: str, share: float) -> bool:
    """Whether a player is kept from all training: the same answer every night for one share."""
    first = hashlib.sha256(player_id.encode()).hexdigest()[:8]
    return int(first, 16) / 2**32 < share


def normalised(text: str) -> str:
    """The text without differences of case, spacing and Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True)
class _Claim:
    """One row as a player stated it, and what it is about: a later one on that replaces it."""

    about: tuple[str, ...]
    row: Pair | Labelled
    cut_short: bool = False  # what is preferred is a reply that did not end by itself


def _last_words(
    events: Iterable[Event], known: Mapping[str, Turn], dropped: Counter[str]
) -> list[Pair | Labelled]:
    """The rows that stand: the last a player said on each thing, if it can teach."""
    last: dict[tuple[str, ...], _Claim] = {}
    for event in sorted(events, key=lambda event: (event.created_at, event.event_id)):
        for claim in _claims(event, known):
            if isinstance(claim, Drop):
                dropped[claim] += 1
                continue
            dropped.update([Drop.SUPERSEDED] if claim.about in last else [])
            last[claim.about] = claim
    whole = [claim.row for claim in last.values() if not claim.cut_short]
    dropped.update([Drop.CUT_SHORT] * (len(last) - len(whole)))
    return _kept(whole, _fault, dropped)


def _claims(event: Event, known: Mapping[str, Turn]) -> Iterator[_Claim | Drop]:
    turn = known.get(event.turn_id)
    if turn is None:
        yield Drop.UNKNOWN_TURN
        return
    about = (event.player_id, event.kind, turn.turn_id)
    match event.payload:
        case Thumb(up=up):
            cut_short = up and turn.finish_reason != WHOLE
            yield _Claim(about, _labelled(turn, event, up), cut_short)
        case Edit(text=text):
            yield _Claim(about, _pair(turn, event, Source.EDIT, text, turn.reply_text, 1.0))
        case Choice(over_turn_ids=over):
            yield from (_comparison(event, turn, known.get(turn_id)) for turn_id in over)


def _comparison(event: Event, kept: Turn, other: Turn | None) -> _Claim | Drop:
    if other is None:
        return Drop.UNKNOWN_TURN
    if other.prompt_ids != kept.prompt_ids:
        return Drop.OTHER_PROMPT
    about = (event.player_id, event.kind, *sorted((kept.turn_id, other.turn_id)))
    weight = SWIPE_WEIGHT if _is_swipe(kept, other) else 1.0
    pair = _pair(kept, event, Source.CHOICE, kept.reply_text, other.reply_text, weight)
    return _Claim(about, pair, cut_short=kept.finish_reason != WHOLE)


def _is_swipe(kept: Turn, other: Turn) -> bool:
    return kept.first_turn_id == other.first_turn_id and kept.take > other.take


def _pair(
    turn: Turn, event: Event, source: Source, chosen: str, rejected: str, weight: float
) -> Pair:
    return Pair(
        prompt_ids=turn.prompt_ids,
        chosen=chosen,
        rejected=rejected,
        source=source,
        weight=weight,
        player_id=event.player_id,
        session_id=turn.session_id,
        turn_id=turn.turn_id,
        player_text=turn.player_text,
        messages=turn.messages,
    )


def _labelled(turn: Turn, event: Event, desirable: bool) -> Labelled:
    return Labelled(
        prompt_ids=turn.prompt_ids,
        completion=turn.reply_text,
        desirable=desirable,
        player_id=event.player_id,
        session_id=turn.session_id,
        turn_id=turn.turn_id,
        player_text=turn.player_text,
        messages=turn.messages,
    )


def _fault(row: Pair | Labelled) -> Drop | None:
    """Why a row cannot teach, looking at it alone."""
    match row:
        case Labelled(completion=completion):
            return None if normalised(completion) else Drop.EMPTY_CHOSEN
        case Pair(chosen=chosen, rejected=rejected, source=source):
            return _pair_fault(normalised(chosen), normalised(rejected), source)


def _pair_fault(chosen: str, rejected: str, source: Source) -> Drop | None:
    if not chosen:
        return Drop.EMPTY_CHOSEN
    if chosen == rejected:
        return Drop.EQUAL
    if _near_equal(chosen, rejected):
        return Drop.NEAR_EQUAL
    # An edit that cuts is the strongest signal there is, so lengths are compared in choices only.
    if source is Source.CHOICE and _length_ratio(chosen, rejected) > MAX_LENGTH_RATIO:
        return Drop.LENGTH_RATIO
    return None


def _near_equal(one: str, other: str) -> bool:
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)  # cheap ones first
    return all(ratio() > NEAR_EQUAL_RATIO for ratio in bounds)


def _length_ratio(one: str, other: str) -> float:
    shorter, longer = sorted((len(one), len(other)))
    return longer / shorter if shorter else math.inf


@dataclass(frozen=True)
class _Split(Generic[_Row]):
    train: list[_Row]
    held_out: list[_Row]


def _split(rows: list[_Row], share: float, dropped: Counter[str]) -> _Split[_Row]:
    # Duplicates are found on each side alone, so a training row never stands in for a held-out one.
    held_out = [row for row in rows if is_held_out(row.player_id, share)]
    train = [row for row in rows if not is_held_out(row.player_id, share)]
    return _Split(_unique(train, dropped), _unique(held_out, dropped))


def _unique(rows: list[_Row], dropped: Counter[str]) -> list[_Row]:
    seen: set[tuple[object, ...]] = set()

    def repeated(row: _Row) -> Drop | None:
        key = _lesson(row)
        if key in seen:
            return Drop.DUPLICATE
        seen.add(key)
        return None

    return _kept(rows, repeated, dropped)


def _lesson(row: Pair | Labelled) -> tuple[object, ...]:
    match row:
        case Pair(prompt_ids=prompt_ids, chosen=chosen, rejected=rejected):
            return prompt_ids, normalised(chosen), normalised(rejected)
        case Labelled(prompt_ids=prompt_ids, completion=completion, desirable=desirable):
            return prompt_ids, normalised(completion), desirable


def _unseen(rows: list[_Row], held_out: set[str], dropped: Counter[str]) -> tuple[_Row, ...]:
    def shared(row: _Row) -> Drop | None:
        return Drop.PROMPT_HELD_OUT if normalised(row.player_text) in held_out else None

    return _in_order(_kept(rows, shared, dropped))


def _kept(
    rows: Iterable[_Row], fault: Callable[[_Row], Drop | None], dropped: Counter[str]
) -> list[_Row]:
    """The rows without a fault; the faults of the others are counted."""
    judged = [(row, fault(row)) for row in rows]
    dropped.update(reason for _, reason in judged if reason)
    return [row for row, reason in judged if reason is None]


def _in_order(rows: list[_Row]) -> tuple[_Row, ...]:
    # By content hash: the same for any input order, and players and labels come well mixed.
    return tuple(sorted(rows, key=_row_digest))


def _row_digest(row: Pair | Labelled) -> str:
    return _digest(vars(row))


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
