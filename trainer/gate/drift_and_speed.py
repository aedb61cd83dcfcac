"""Whether the candidate is still near the base, and as quick as the incumbent.

A character can please its players and lose the language. Distance is from the base, not from the
incumbent, so that many nights of small steps add up. A candidate that fails here ends its line of
versions: training starts over from the base.
"""

from trainer.gate.estimates import median
from trainer.gate.measurements import Drift, Measurements, Timing
from trainer.gate.rules import RuleResult, unmeasured
from trainer.gate.thresholds import Thresholds

DIVERGENCE, PERPLEXITY = "drift from the base", "perplexity"
#: The rules that end a line: more of the same training cannot lead back.
FROM_THE_BASE = frozenset({DIVERGENCE, PERPLEXITY})


def divergence(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Mean KL divergence of its next-token probabilities from the base's."""
    rule = f"at most {limits.max_drift:g} nats per token from the base, on a general text"
    drift = measured.drift
    if drift is None:
        return unmeasured(DIVERGENCE, rule, "not measured")
    old, new = drift.incumbent_kl, drift.candidate_kl
    return RuleResult(DIVERGENCE, old, new, rule, new <= limits.max_drift, _size(drift))


def perplexity(measured: Measurements, limits: Thresholds) -> RuleResult:
    """How well it still predicts plain prose."""
    rule = f"at most {limits.max_perplexity:g} times the base's, on a general text"
    drift = measured.drift
    if drift is None:
        return unmeasured(PERPLEXITY, rule, "not measured")
    old, new = drift.incumbent_perplexity, drift.candidate_perplexity
    passed = new <= limits.max_perplexity * drift.base_perplexity
    note = f"base {drift.base_perplexity:.3g}, {_size(drift)}"
    return RuleResult(PERPLEXITY, old, new, rule, passed, note)


def token_time(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Milliseconds per token after the first."""
    timed = [(at.incumbent_token_ms, at.candidate_token_ms) for at in _timings(measured)]
    return _not_slower("ms per token", timed, limits)


def first_token_time(measured: Measurements, limits: Thresholds) -> RuleResult:
    """Milliseconds to the first token."""
    timed = [(at.incumbent_ttft_ms, at.candidate_ttft_ms) for at in _timings(measured)]
    return _not_slower("ms to the first token", timed, limits)


def _not_slower(name: str, timed: list[tuple[float, float]], limits: Thresholds) -> RuleResult:
    rule = f"at most {limits.max_slower:g} times the incumbent's, or not beyond chance"
    if len(timed) < limits.min_timings:
        return unmeasured(name, rule, f"{len(timed)} of {limits.min_timings} turns were timed")
    old, new = (median([pair[at] for pair in timed], limits.confidence).value for at in (0, 1))
    ratio = median([after / before for before, after in timed], limits.confidence)
    passed = ratio.value <= limits.max_slower or ratio.low <= limits.max_slower
    return RuleResult(name, old, new, rule, passed, "interval of the ratio", ratio)


def _timings(measured: Measurements) -> tuple[Timing, ...]:
    return measured.timings or ()


def _size(drift: Drift) -> str:
    return f"{drift.tokens} tokens"
