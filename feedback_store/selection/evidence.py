"""What players stated: turns and events become rows, the strongest and last vote of each player.

Evidence has tiers, and a row's weight is its tier. What a player wrote or picked teaches most, a
thumb or stars less, what the game made of it less again, and least what the player did without
meaning it. Of several votes of one player on one thing the one that happened last counts, but never
a derived one over what the player said in person. A player labels a reply once: by the strongest
evidence there is. A reply that was broken off is not the reply there would have been: only what its
player said of it in person counts, and never as something to learn. Nothing disappears: every event
ends in a row, or is dropped for a reason.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from feedback_store.records import (
    Choice,
    Edit,
    Event,
    Outcome,
    Rating,
    Reason,
    Sign,
    Signal,
    Source,
    Thumb,
    Turn,
)
from feedback_store.selection.lessons import Drop, Dropped, Labelled, Origin, Pair

#: Finish reasons of replies that end where a sentence does, or where the character ended them.
WHOLE = frozenset({"stop", "sentences", "trimmed"})
BROKEN_OFF = ("cancelled", "failed")  # those of replies whose end nobody knows
SCRIPTED = "scripted"  # that of words that an author wrote
#: What the guard did about turns that teach nothing: see `npc_server.guard_hits`.
NOT_TO_LEARN_FROM = frozenset({"noted", "answered", "fell_back", "withheld"})
EDIT_WEIGHT = CHOICE_WEIGHT = 1.0
SWIPE_WEIGHT = 0.7  # to go on with the newest take is weaker evidence than to go back to an older
WENT_ON_WEIGHT = 0.7  # as a swipe, but inferred by the server
OUT_OF_CHARACTER_WEIGHT = 1.0  # rare, and seldom given for another reason
THUMB_WEIGHT = RATING_WEIGHT = 0.7
OUTCOME_WEIGHT = 0.5  # a quest fails for more reasons than a line
SIGNAL_WEIGHTS: Mapping[Sign, float] = {
    Sign.REPHRASED: 0.3,
    Sign.SKIPPED: 0.2,
    Sign.CLOSED: 0.2,
    Sign.SILENT: 0.1,
}
GOOD_STARS, BAD_STARS = 4, 2  # from, and up to

_Judgement: TypeAlias = Thumb | Rating | Outcome | Signal


@dataclass(frozen=True)
class Statements:
    """The rows that stand, and all that does not."""

    rows: list[Pair | Labelled]
    dropped: list[Dropped]


@dataclass(frozen=True)
class _Claim:
    """What an event states about one thing; a later claim about the same thing replaces it."""

    event_id: str
    about: tuple[str, ...]
    row: Pair | Labelled | None  # None = neither good nor bad
    cut_short: bool = False  # the preferred reply ends in mid-sentence


def statements(turns: Mapping[str, Turn], events: Iterable[Event]) -> Statements:
    """What the events say about the turns, which are by id and of one character."""
    found: list[_Claim | Dropped] = []
    for event in sorted(events, key=_precedence):
        why = _unusable(event, turns)
        found += [Dropped(event.event_id, why)] if why else _claims(event, turns)
    last, superseded = _last([claim for claim in found if isinstance(claim, _Claim)])
    strongest, weaker = _strongest(last)
    whole = [claim.row for claim in strongest if claim.row is not None and not claim.cut_short]
    cut = [Dropped(claim.event_id, Drop.CUT_SHORT) for claim in strongest if claim.cut_short]
    unusable = [claim for claim in found if isinstance(claim, Dropped)]
    return Statements(whole, [*unusable, *superseded, *weaker, *cut])


def _precedence(event: Event) -> tuple[object, ...]:
    """Sort key: later events replace earlier ones."""
    return event.source is Source.EXPLICIT, *event.order


def _unusable(event: Event, turns: Mapping[str, Turn]) -> Drop | None:
    if event.undone:
        return Drop.UNDONE
    if not event.turn_id:
        # A session goes well for many reasons; to credit each of its lines with that would teach
        # mostly noise.
        return Drop.EVALUATION_ONLY
    turn = turns.get(event.turn_id)
    if turn is None:
        return Drop.UNKNOWN_TURN
    if why := _kept_apart(turn):
        return why
    match event.payload:
        case Signal(sign=sign) if sign not in SIGNAL_WEIGHTS:
            return Drop.EVALUATION_ONLY
        case Signal() | Outcome() if turn.finish_reason in BROKEN_OFF:
            return Drop.INTERRUPTED
    return None


def _kept_apart(turn: Turn) -> Drop | None:
    if not turn.consent:
        return Drop.NO_CONSENT
    if turn.finish_reason == SCRIPTED:
        return Drop.SCRIPTED
    if turn.rolled_back:
        return Drop.ROLLED_BACK
    return Drop.GUARDED if _is_guarded(turn) else None


def _is_guarded(turn: Turn) -> bool:
    """Whether its line tried to break the role, or its reply is not the model's own."""
    listed = turn.annotations.get("guard")
    hits = listed if isinstance(listed, list) else []
    return any(isinstance(hit, dict) and hit.get("action") in NOT_TO_LEARN_FROM for hit in hits)


def _claims(event: Event, turns: Mapping[str, Turn]) -> Iterator[_Claim | Dropped]:
    turn = turns[event.turn_id]
    match event.payload:
        case Edit(text=text):
            about = (event.player_id, event.kind, turn.turn_id)
            row = _pair(event, turn, Origin.EDIT, EDIT_WEIGHT, text, turn.reply_text)
            yield _Claim(event.event_id, about, row)
        case Choice(over_turn_ids=over):
            if not over:
                yield Dropped(event.event_id, Drop.UNKNOWN_TURN)
            yield from (_comparison(event, turn, turns.get(turn_id)) for turn_id in over)
        case Thumb() | Rating() | Outcome() | Signal() as judgement:
            yield _judgement(event, turn, judgement)


def _comparison(event: Event, kept: Turn, other: Turn | None) -> _Claim | Dropped:
    if other is None:
        return Dropped(event.event_id, Drop.UNKNOWN_TURN)
    if why := _kept_apart(other):
        return Dropped(event.event_id, why)
    if other.prompt_ids != kept.prompt_ids:
        return Dropped(event.event_id, Drop.OTHER_PROMPT)
    if other.finish_reason in BROKEN_OFF or kept.finish_reason in BROKEN_OFF:
        return Dropped(event.event_id, Drop.INTERRUPTED)
    about = (event.player_id, event.kind, *sorted((kept.turn_id, other.turn_id)))
    origin, weight = _choice_tier(event, kept, other)
    row = _pair(event, kept, origin, weight, kept.reply_text, other.reply_text)
    return _Claim(event.event_id, about, row, cut_short=kept.finish_reason not in WHOLE)


def _choice_tier(event: Event, kept: Turn, other: Turn) -> tuple[Origin, float]:
    if event.source is Source.DERIVED:
        return Origin.WENT_ON, WENT_ON_WEIGHT
    is_swipe = kept.first_turn_id == other.first_turn_id and kept.take > other.take
    return Origin.CHOICE, SWIPE_WEIGHT if is_swipe else CHOICE_WEIGHT


def _pair(
    event: Event, turn: Turn, origin: Origin, weight: float, chosen: str, rejected: str
) -> Pair:
    return Pair(
        prompt_ids=turn.prompt_ids,
        chosen=chosen,
        rejected=rejected,
        origin=origin,
        weight=weight,
        player_id=event.player_id,
        session_id=turn.session_id,
        turn_id=turn.turn_id,
        player_text=turn.player_text,
        messages=turn.messages,
        event_id=event.event_id,
    )


@dataclass(frozen=True)
class _Opinion:
    origin: Origin
    desirable: bool | None  # None = neither
    weight: float
    on: str = ""  # what of the reply was judged; "" = all of it


def _judgement(event: Event, turn: Turn, payload: _Judgement) -> _Claim:
    opinion = _opinion(payload)
    about = (event.player_id, event.kind, turn.turn_id, opinion.on)
    if opinion.desirable is None:
        return _Claim(event.event_id, about, None)
    row = Labelled(
        prompt_ids=turn.prompt_ids,
        completion=turn.reply_text,
        desirable=opinion.desirable,
        origin=opinion.origin,
        weight=opinion.weight,
        player_id=event.player_id,
        session_id=turn.session_id,
        turn_id=turn.turn_id,
        player_text=turn.player_text,
        messages=turn.messages,
        event_id=event.event_id,
    )
    cut_short = opinion.desirable and turn.finish_reason not in WHOLE
    return _Claim(event.event_id, about, row, cut_short)


def _opinion(payload: _Judgement) -> _Opinion:
    match payload:
        case Thumb(up=False, reasons=reasons) if Reason.OUT_OF_CHARACTER in reasons:
            return _Opinion(Origin.THUMB, False, OUT_OF_CHARACTER_WEIGHT)
        case Thumb(up=up):
            return _Opinion(Origin.THUMB, up, THUMB_WEIGHT)
        case Rating(stars=stars):
            good = True if stars >= GOOD_STARS else False if stars <= BAD_STARS else None
            return _Opinion(Origin.RATING, good, RATING_WEIGHT)
        case Outcome(success=success, name=name):
            return _Opinion(Origin.OUTCOME, success, OUTCOME_WEIGHT, on=name)
        case Signal(sign=sign):
            return _Opinion(Origin.SIGNAL, False, SIGNAL_WEIGHTS[sign], on=sign)


def _last(claims: Sequence[_Claim]) -> tuple[list[_Claim], list[Dropped]]:
    """Of the claims about one thing the last, and the others."""
    last = {claim.about: claim for claim in claims}
    standing = {id(claim) for claim in last.values()}
    replaced = [claim.event_id for claim in claims if id(claim) not in standing]
    return list(last.values()), [Dropped(event_id, Drop.SUPERSEDED) for event_id in replaced]


def _strongest(claims: Sequence[_Claim]) -> tuple[list[_Claim], list[Dropped]]:
    """One label per player and turn; pairs stay as they are."""
    kept: list[_Claim] = []
    dropped: list[Dropped] = []
    judged: dict[tuple[str, str], list[_Claim]] = defaultdict(list)
    for claim in claims:
        match claim.row:
            case Pair():
                kept.append(claim)
            case None:
                dropped.append(Dropped(claim.event_id, Drop.TIE))
            case Labelled(player_id=player_id, turn_id=turn_id):
                judged[player_id, turn_id].append(claim)
    for votes in judged.values():
        winner, losers = _winner(votes)
        kept += winner
        dropped += losers
    return kept, dropped


def _winner(votes: Sequence[_Claim]) -> tuple[list[_Claim], list[Dropped]]:
    """Of a player's votes on one reply the one that counts, if they agree."""
    labels = [(vote, vote.row) for vote in votes if isinstance(vote.row, Labelled)]
    most = max(label.weight for _, label in labels)
    top = [(vote, label) for vote, label in labels if label.weight == most]
    weaker = [Dropped(v.event_id, Drop.OUTWEIGHED) for v, label in labels if label.weight < most]
    if len({label.desirable for _, label in top}) > 1:
        return [], [*weaker, *(Dropped(vote.event_id, Drop.TIE) for vote, _ in top)]
    first, *others = sorted(top, key=lambda at: (at[1].origin is not Origin.THUMB, at[0].about))
    as_strong = [Dropped(vote.event_id, Drop.OUTWEIGHED) for vote, _ in others]
    return [first[0]], [*weaker, *as_strong]
