"""A rule's finding, and the few ways in which rules come to one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trainer.gate.measurements import Heard, Kind, Measurements
from trainer.gate.statistics import Estimate, Paired, mean_difference

#: A reply's number; None where it could not be measured.
Number = Callable[[Heard], float | None]
#: Whether a rule holds for the incumbent's number, the candidate's, and their difference.
Holds = Callable[[float, float, Estimate], bool]


_SIDES = ("incumbent", "candidate")


@dataclass(frozen=True)
class Row:
    """One rule's finding. Numbers are None when missing or when the rule has no such side."""

    name: str
    incumbent: float | None
    candidate: float | None
    rule: str  # begins with "for information" where nothing is decided
    passed: bool
    note: str = ""  # why a number is missing, or what else there is to know
    estimate: Estimate | None = None  # of candidate minus incumbent, unless the rule says otherwise


@dataclass(frozen=True)
class Verdict:
    """The gate's answer."""

    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule holds."""
        return all(row.passed for row in self.rows)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, one sentence a failed rule; empty when passed."""
        return tuple(_reason(row) for row in self.rows if not row.passed)


def answers(measured: Measurements, kinds: Iterable[Kind]) -> list[tuple[Heard, Heard]]:
    """Both voices' replies to each question of these kinds that both were asked."""
    wanted = frozenset(kinds)
    old = {reply.question: reply for reply in measured.incumbent.heard if reply.kind in wanted}
    return [(old[new.question], new) for new in measured.candidate.heard if new.question in old]


def compared(
    name: str,
    replies: Sequence[tuple[Heard, Heard]],
    number: Number,
    rule: str,
    holds: Holds,
    confidence: float,
    by_question: bool = False,
) -> Row:
    """The mean of a number over paired replies. Fails when one of them has none.

    `by_question` gives each question the same weight, however often it was drawn.
    """
    both = [(old.cluster, number(old), number(new)) for old, new in replies]
    pairs = [Paired(at, old, new) for at, old, new in both if old is not None and new is not None]
    if not pairs or len(pairs) < len(both):
        return unmeasured(name, rule, missing([(old, new) for _, old, new in both]))
    if by_question:
        pairs = _one_a_question(replies, pairs)
    old, new = (_mean([getattr(pair, side) for pair in pairs]) for side in _SIDES)
    estimate = mean_difference(pairs, confidence)
    return Row(name, old, new, rule, holds(old, new, estimate), "", estimate)


def _one_a_question(
    replies: Sequence[tuple[Heard, Heard]], pairs: Sequence[Paired]
) -> list[Paired]:
    draws: dict[str, list[Paired]] = defaultdict(list)
    for (_, reply), pair in zip(replies, pairs, strict=True):
        draws[reply.question if reply.kind is Kind.LINE else reply.cluster].append(pair)
    return [
        Paired(
            many[0].cluster,
            _mean([pair.incumbent for pair in many]),
            _mean([pair.candidate for pair in many]),
        )
        for many in draws.values()
    ]


def unmeasured(name: str, rule: str, why: str) -> Row:
    """A rule that fails because its numbers are missing."""
    return Row(name, None, None, rule, passed=False, note=why)


def missing(both: Sequence[tuple[float | None, float | None]]) -> str:
    """Whose number is missing, of the incumbent's and the candidate's."""
    lacking = [
        side for at, side in enumerate(_SIDES) if not both or any(pair[at] is None for pair in both)
    ]
    return f"not measured for the {' and '.join(lacking)}"


def not_asked(name: str, why: str) -> Row:
    """A rule that has nothing to decide for this character."""
    return Row(name, None, None, "for information: nothing to decide", passed=True, note=why)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _reason(row: Row) -> str:
    numbers = f"{_shown(row.candidate)} against {_shown(row.incumbent)}"
    note = f" ({row.note})" if row.note else ""
    return f"{row.name}: {numbers}{note}; must be {row.rule}"


def _shown(number: float | None) -> str:
    return "nothing" if number is None else f"{number:.3g}"
