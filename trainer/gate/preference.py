"""Whether held-out players' choices became likelier. The one thing a candidate has to gain."""

from collections.abc import Sequence

from feedback_store.selection import HeldOutBy
from trainer.gate.estimates import Estimate, lower_bound, share_right
from trainer.gate.measurements import Margin, Measurements
from trainer.gate.rules import RuleResult, unmeasured
from trainer.gate.thresholds import Thresholds


def preference(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Held-out players' choices must have become likelier, beyond chance."""
    return _decide("preference", measured.margins or (), limits)


def of_new_players(measured: Measurements, limits: Thresholds) -> RuleResult:
    """So must those of players whose rows were not trained on, if there are enough of them.

    With fewer rows all held-out rows decide, in their own row: a game with a handful of players
    has nobody to spare, and the newest sessions of known players were not trained on either.
    """
    margins = _held_out_by(HeldOutBy.PLAYER, measured)
    if len(margins) < limits.min_margins:
        return _inform("preference of new players", margins, limits)
    return _decide("preference of new players", margins, limits)


def over_time(measured: Measurements, limits: Thresholds) -> RuleResult:
    """What known players chose later: their taste was trained on, so it proves less."""
    margins = _held_out_by(HeldOutBy.TIME, measured)
    return _inform("preference over time", margins, limits)


def _decide(name: str, margins: Sequence[Margin], limits: Thresholds) -> RuleResult:
    rule = (
        f"at least {limits.min_preference:g} of {limits.min_margins} or more held-out rows,"
        f" {limits.confidence:.0%} lower bound above 0.5"
    )
    if len(margins) < limits.min_margins:
        return unmeasured(name, rule, f"{len(margins)} held-out rows")
    found = _estimate(margins, limits)
    passed = found.value >= limits.min_preference and found.low > 0.5
    return RuleResult(name, 0.5, found.value, rule, passed, f"lower bound {found.low:.3f}", found)


def _inform(name: str, margins: Sequence[Margin], limits: Thresholds) -> RuleResult:
    found = _estimate(margins, limits) if margins else None
    share = found.value if found else None
    note = f"{len(margins)} rows"
    return RuleResult(
        name, 0.5, share, "for information: all held-out rows decide", True, note, found
    )


def _estimate(margins: Sequence[Margin], limits: Thresholds) -> Estimate:
    """The share above 0, one-sided: nothing asks how high it may be."""
    low = lower_bound(margins, limits.confidence)
    players = len({margin.player_id for margin in margins})
    return Estimate(share_right(margins), low, 1.0, len(margins), players)


def _held_out_by(why: HeldOutBy, measured: Measurements) -> list[Margin]:
    return [margin for margin in measured.margins or () if margin.held_out_by is why]
