"""Whether a new base may stand in for the one it was trained from: pure, and it fails closed.

It has to make what held-out players wrote likelier beyond chance, for all characters together, and
for none of them less likely; and it has to read plain prose almost as well as before. What a
character says under it is judged later, by the gate, when the character is trained on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from trainer.gate import Thresholds
from trainer.gate.estimates import Paired, mean_difference
from trainer.gate.rules import RuleResult, Verdict, not_asked, unmeasured

TOGETHER = "held-out edits"


@dataclass(frozen=True)
class Surprise:
    """How unlikely a held-out player's reply was: nats per token, its end included."""

    character: str
    player_id: str
    before: float  # under the base that was trained from
    after: float


@dataclass(frozen=True)
class Fitness:
    """What was measured on both bases."""

    surprises: tuple[Surprise, ...]
    perplexity_before: float  # on a general text
    perplexity_after: float


def judge(found: Fitness, characters: Sequence[str], limits: Thresholds) -> Verdict:
    """Apply the rules on a new base, for the characters it was trained for."""
    return Verdict(
        (
            _judge_learning(found.surprises, limits),
            *(_judge_harm(name, found.surprises, limits) for name in characters),
            _judge_reading(found, limits),
        )
    )


def _judge_learning(surprises: Sequence[Surprise], limits: Thresholds) -> RuleResult:
    rule = f"fewer nats per token, beyond chance, in {limits.min_margins} or more held-out edits"
    if len(surprises) < limits.min_margins:
        return unmeasured(TOGETHER, rule, f"{len(surprises)} held-out edits")
    row = _compare(TOGETHER, surprises, rule, limits)
    return row if row.estimate and row.estimate.high < 0 else replace(row, passed=False)


def _judge_harm(character: str, surprises: Sequence[Surprise], limits: Thresholds) -> RuleResult:
    name = f"{TOGETHER} of {character}"
    own = [one for one in surprises if one.character == character]
    if not own:
        return not_asked(name, "nobody who is held out corrected this character")
    row = _compare(name, own, "no more nats per token, beyond chance", limits)
    return row if row.estimate and row.estimate.low <= 0 else replace(row, passed=False)


def _judge_reading(found: Fitness, limits: Thresholds) -> RuleResult:
    before, after = found.perplexity_before, found.perplexity_after
    rule = f"at most {limits.max_perplexity:g} times that of the base it came from"
    return RuleResult("perplexity", before, after, rule, after <= limits.max_perplexity * before)


def _compare(name: str, surprises: Sequence[Surprise], rule: str, limits: Thresholds) -> RuleResult:
    pairs = [Paired(one.player_id, one.before, one.after) for one in surprises]
    before, after = (fmean(one.before for one in surprises), fmean(one.after for one in surprises))
    estimate = mean_difference(pairs, limits.confidence)
    return RuleResult(name, before, after, rule, passed=True, estimate=estimate)
