"""Whether a candidate may replace the incumbent: pure, from plain numbers. It fails closed.

Two voices were asked the same things under the same seeds. Every rule sees what both said, the
held-out margins and the drift, and gives one result. A rule whose numbers are missing fails with
that reason: what could not be measured is not an improvement. Passing needs every rule.

Preference asks for gain, the other rules for no harm. Training on feedback finds the cheapest way
to please, and each harm rule closes one: saying nothing, saying one line for everything, echoing,
rambling, looping, forgetting the lore, agreeing with anything, blurting a secret, stepping out of
the role, becoming another model altogether.
"""

from personas.faults import Fault
from trainer.gate.estimates import Estimate, lower_bound
from trainer.gate.measurements import (
    CheckedReply,
    Drift,
    DuelScores,
    Margin,
    Measurements,
    QuestionKind,
    RewardDuel,
    Timing,
    VoiceReport,
)
from trainer.gate.rules import RuleResult, Verdict
from trainer.gate.thresholds import Thresholds
from trainer.gate.verdict import RULES, judge, judge_harm

__all__ = [
    "RULES",
    "CheckedReply",
    "Drift",
    "DuelScores",
    "Estimate",
    "Fault",
    "Margin",
    "Measurements",
    "QuestionKind",
    "RewardDuel",
    "RuleResult",
    "Thresholds",
    "Timing",
    "Verdict",
    "VoiceReport",
    "judge",
    "judge_harm",
    "lower_bound",
]
