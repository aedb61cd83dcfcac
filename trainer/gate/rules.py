"""What a rule found, and the few ways in which rules come to it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from trainer.gate.estimates import Estimate, Paired, mean_difference
from trainer.gate.measurements import CheckedReply, Measurements, QuestionKind

#: A reply's number; None where it could not be measured.
Number = Callable[[CheckedReply], float | None]
#: Whether a rule holds for the incumbent's number, the candidate's, and their difference.
Holds = Callable[[float, float, Estimate], bool]


_SIDES = ("incumbent", "candidate")


@dataclass(frozen=True)
class RuleResult:
    """What one rule found. Numbers are None when missing or when the rule has no such side."""

    name: str
    incumbent: float | None
    candidate: float | None
    rule: str  # begins with "for information" where nothing is decided
    passed: bool
    note: str = ""  # why a number is missing, or what else there is to know
    estimate: Estimate | None = None  # of candidate minus incumbent, unless the rule says otherwise


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, with the result of every rule."""

    rows: tuple[RuleResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule holds."""
        return all(row.passed for row in self.rows)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, one sentence per failed rule; empty when passed."""
        return tuple(_reason(row) for row in self.rows if not row.passed)


def paired_replies(
    measured: Measurements, kinds: Iterable[QuestionKind]
) -> list[tuple[CheckedReply, CheckedReply]]:
    """Both voices' replies to each question of these kinds that both were asked."""
    wanted = frozenset(kinds)
    old = {reply.question: reply for reply in measured.incumbent.heard if reply.kind in wanted}
    return [(old[new.question], new) for new in measured.candidate.heard if new.question in old]


def compare(
    name: str,
    replies: Sequence[tuple[CheckedReply, CheckedReply]],
    number: Number,
    rule: str,
    holds: Holds,
    confidence: float,
    by_question: bool = False,
) -> RuleResult:
    """The mean of a number over paired replies. Fails when one of them has none.

    `by_question` gives each question the same weight, however often it was drawn.
    """
    both = [(old.cluster, number(old), number(new)) for old, new in replies]
    pairs = [Paired(at, old, new) for at, old, new in both if old is not None and new is not None]
    if not pairs or len(pairs) < len(both):
        return unmeasured(name, rule, missing([(old, new) for _, old, new in both]))
    if by_question:
        pairs = _one_per_question(replies, pairs)
    old, new = (fmean([getattr(pair, side) for pair in pairs]) for side in _SIDES)
    estimate = mean_difference(pairs, confidence)
    return RuleResult(name, old, new, rule, holds(old, new, estimate), "", estimate)


def _one_per_question(
    replies: Sequence[tuple[CheckedReply, CheckedReply]], pairs: Sequence[Paired]
) -> list[Paired]:
    draws: dict[str, list[Paired]] = defaultdict(list)
    for (_, reply), pair in zip(replies, pairs, strict=True):
        draws[reply.question if reply.kind is QuestionKind.LINE else reply.cluster].append(pair)
    return [
        Paired(
            many[0].cluster,
            fmean([pair.incumbent for pair in many]),
            fmean([pair.candidate for pair in many]),
        )
        for many in draws.values()
    ]


def unmeasured(name: str, rule: str, why: str) -> RuleResult:
    """A rule that fails because its numbers are missing."""
    return RuleResult(name, None, None, rule, passed=False, note=why)


def missing(both: Sequence[tuple[float | None, float | None]]) -> str:
    """Whose number is missing, of the incumbent's and the candidate's."""
    lacking = [
        side for at, side in enumerate(_SIDES) if not both or any(pair[at] is None for pair in both)
    ]
    return f"not measured for the {' and '.join(lacking)}"


def not_asked(name: str, why: str) -> RuleResult:
    """A rule that has nothing to decide for this character."""
    return RuleResult(name, None, None, "for information: nothing to decide", passed=True, note=why)


def _reason(row: RuleResult) -> str:
    numbers = f"{_format(row.candidate)} against {_format(row.incumbent)}"
    note = f" ({row.note})" if row.note else ""
    return f"{row.name}: {numbers}{note}; must be {row.rule}"


def _format(number: float | None) -> str:
    return "nothing" if number is None else f"{number:.3g}"
