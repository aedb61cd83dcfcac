"""All rules, in the order in which they are shown."""

from collections.abc import Callable

from trainer.gate import character, drift_and_speed, duel, preference, speech
from trainer.gate.measurements import Measurements
from trainer.gate.rules import RuleResult, Verdict
from trainer.gate.thresholds import Thresholds

RULES: tuple[Callable[[Measurements, Thresholds], RuleResult], ...] = (
    preference.preference,
    preference.of_new_players,
    preference.over_time,
    duel.by_checks,
    duel.by_reward_head,
    speech.sample_size,
    character.language,
    character.probes,
    character.facts,
    character.kept_secrets,
    character.voice,
    character.canaries,
    character.emotions,
    character.actions,
    character.injections,
    character.falsehoods,
    character.contradictions,
    character.secrets,
    character.unsafe,
    character.out_of_character,
    character.taboos,
    speech.too_short,
    speech.no_content,
    speech.parroting,
    speech.repetition,
    speech.diversity,
    speech.bigrams,
    speech.not_longer,
    speech.not_shorter,
    drift_and_speed.divergence,
    drift_and_speed.perplexity,
    drift_and_speed.token_time,
    drift_and_speed.first_token_time,
)


#: What can be told of an adapter without held-out rows: it need not please anybody, but do no harm.
HARM = tuple(
    rule
    for rule in RULES
    if rule
    not in (
        preference.preference,
        preference.of_new_players,
        preference.over_time,
        duel.by_reward_head,
        speech.not_longer,
        speech.not_shorter,
    )
)


def judge(measured: Measurements, thresholds: Thresholds) -> Verdict:
    """Apply every rule to these measurements."""
    return Verdict(tuple(rule(measured, thresholds) for rule in RULES))


def judge_harm(measured: Measurements, thresholds: Thresholds) -> Verdict:
    """Apply the rules that need no held-out rows."""
    return Verdict(tuple(rule(measured, thresholds) for rule in HARM))
