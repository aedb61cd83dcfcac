"""Both voices' replies to the same question, side by side: which is the better one?

Two judges. The checks know faults: the reply with the graver one loses, none or the same is a tie.
A reward head knows what players of this character chose; it never saw the held-out players. Both
look at one reply at a time, so there is no first and second place to be biased by, and asking in
the other order gives the same answer.

A head that orders unknown pairs no better than chance can neither pass nor fail a candidate. Its
result then says so, for information; the other rules decide without it.
"""

from personas.faults import Fault
from trainer.gate.estimates import Paired, mean_difference
from trainer.gate.measurements import DUEL_FAULTS, EVERYDAY, CheckedReply, Measurements, RewardDuel
from trainer.gate.rules import RuleResult, not_asked, paired_replies, unmeasured
from trainer.gate.thresholds import Thresholds


def by_checks(measured: Measurements, limits: Thresholds) -> RuleResult:
    """The candidate must not lose clearly more duels than it wins."""
    name = "duels by checks"
    rule = f"at most {limits.max_duel_loss:g} of all duels lost more than won"
    replies = paired_replies(measured, EVERYDAY)
    both = [(old.cluster, _faults(old), _faults(new)) for old, new in replies]
    pairs = [
        _compare_faults(at, old, new)
        for at, old, new in both
        if old is not None and new is not None
    ]
    if not pairs or len(pairs) < len(both):
        return unmeasured(name, rule, "a check was not made")
    return _decide(name, pairs, rule, -limits.max_duel_loss, limits)


def by_reward_head(measured: Measurements, limits: Thresholds) -> RuleResult:
    """The candidate must win half of the duels, if there is a head that can judge."""
    name, duel = "duels by reward head", measured.reward_duel
    if why := _unusable(duel, limits):
        return not_asked(name, f"not decided: {why}")
    assert duel is not None  # or it would be unusable
    rule = f"at least {limits.min_head_wins:g} of {limits.min_replies} or more won, ties half"
    if len(duel.scored) < limits.min_replies:
        return unmeasured(name, rule, f"{len(duel.scored)} duels")
    pairs = [_score_duel(at.cluster, at.candidate - at.incumbent) for at in duel.scored]
    return _decide(name, pairs, rule, 2 * limits.min_head_wins - 1, limits)


def _unusable(duel: RewardDuel | None, limits: Thresholds) -> str:
    if duel is None:
        return "there is no reward head"
    if duel.accuracy < limits.min_head_accuracy:
        return (
            f"the head is right on {duel.accuracy:.2f} of unknown pairs, which is below"
            f" {limits.min_head_accuracy:g}"
        )
    return ""


def _decide(
    name: str, pairs: list[Paired], rule: str, least: float, limits: Thresholds
) -> RuleResult:
    estimate = mean_difference(pairs, limits.confidence)
    won = (1 + estimate.value) / 2  # ties half
    return RuleResult(name, 1 - won, won, rule, estimate.value >= least, "", estimate)


def _faults(reply: CheckedReply) -> tuple[bool, ...] | None:
    found = [reply.faults.get(fault) for fault in Fault if fault in DUEL_FAULTS]
    return None if None in found else tuple(map(bool, found))


def _compare_faults(cluster: str, old: tuple[bool, ...], new: tuple[bool, ...]) -> Paired:
    """The graver fault loses: tuples compare by their first difference."""
    return _score_duel(cluster, (old > new) - (new > old))


def _score_duel(cluster: str, lead: float) -> Paired:
    return Paired(cluster, float(lead < 0), float(lead > 0))
