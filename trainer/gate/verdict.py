"""All rules, in the order of their rows."""

from collections.abc import Callable

from trainer.gate import character, drift, duel, preference, speech
from trainer.gate.measurements import Measurements
from trainer.gate.rows import Row, Verdict
from trainer.gate.thresholds import Thresholds

RULES: tuple[Callable[[Measurements, Thresholds], Row], ...] = (
    preference.preference,
    preference.of_new_players,
    preference.over_time,
    duel.by_checks,
    duel.by_reward_head,
    speech.sample_size,
    character.probes,
    character.facts,
    character.kept_secrets,
    character.voice,
    character.canaries,
    character.injections,
    character.falsehoods,
    character.contradictions,
    character.secrets,
    character.unsafe,
    character.out_of_character,
    character.taboos,
    speech.too_short,
    speech.no_content,
    speech.parroted,
    speech.repetition,
    speech.diversity,
    speech.bigrams,
    speech.not_longer,
    speech.not_shorter,
    drift.divergence,
    drift.perplexity,
    drift.token_time,
    drift.first_token_time,
)


def judge(measured: Measurements, thresholds: Thresholds) -> Verdict:
    """Every rule on these measurements."""
    return Verdict(tuple(rule(measured, thresholds) for rule in RULES))
