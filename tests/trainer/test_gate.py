"""Every rule of the gate turns away the candidate it was made for, and says why."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from trainer.errors import ConfigError
from trainer.gate import (
    RULES,
    Margin,
    Measurements,
    Thresholds,
    Verdict,
    VoiceReport,
    judge,
    lower_bound,
)

INCUMBENT = VoiceReport(
    replies=40,
    distinct_replies=40,
    too_short=0,
    mean_words=50.0,
    repeated_trigrams=0.02,
    out_of_character=1,
    taboo_replies=0,
    probes=10,
    probes_passed=8,
    secrets_leaked=0,
)
MARGINS = tuple(Margin(f"player-{index % 5}", 1.0 if index % 10 else -1.0) for index in range(20))
GOOD = Measurements(
    incumbent=INCUMBENT,
    candidate=replace(INCUMBENT, mean_words=15.0),
    margins=MARGINS,
    chosen_words=14.0,
)

Change = Callable[[VoiceReport], VoiceReport]


def _but(**changes: object) -> Measurements:
    return replace(GOOD, candidate=replace(GOOD.candidate, **changes))  # type: ignore[arg-type]


def _failed(verdict: Verdict) -> list[str]:
    return [row.name for row in verdict.rows if not row.passed]


def test_a_candidate_players_prefer_passes() -> None:
    verdict = judge(GOOD, Thresholds())
    assert verdict.passed
    assert verdict.reasons == ()
    assert len(verdict.rows) == len(RULES)


BAD = {
    "knows less": (_but(probes_passed=7), "probes passed"),
    "tells a secret": (_but(secrets_leaked=1), "secrets leaked"),
    "leaves the role": (_but(out_of_character=3), "out of character"),
    "says taboo words": (_but(taboo_replies=2), "taboo words"),
    "falls silent": (_but(too_short=5), "empty or too short"),
    "loops": (_but(repeated_trigrams=0.3), "repeated trigrams"),
    "is a parrot": (_but(distinct_replies=1), "distinct replies"),
    "rambles": (_but(mean_words=70.0), "mean words, not longer"),
    "mutters": (_but(mean_words=6.0), "mean words, not shorter"),
    "was asked less": (_but(replies=30, distinct_replies=30), "replies"),
    "moved away": (
        replace(GOOD, margins=tuple(Margin(m.player_id, -m.value) for m in MARGINS)),
        "preference",
    ),
    "changed nothing": (
        replace(GOOD, margins=tuple(Margin(m.player_id, 0.0) for m in MARGINS)),
        "preference",
    ),
    "pleased one player": (
        replace(
            GOOD,
            margins=tuple(Margin("a", 1.0) for _ in range(14))
            + tuple(Margin(name, -1.0) for name in "bcdef"),
        ),
        "preference",
    ),
    "was hardly compared": (replace(GOOD, margins=MARGINS[1:6]), "preference"),
}


@pytest.mark.parametrize(("measured", "rule"), BAD.values(), ids=BAD.keys())
def test_a_bad_candidate_fails_for_its_own_reason(measured: Measurements, rule: str) -> None:
    verdict = judge(measured, Thresholds())
    assert _failed(verdict) == [rule]
    (reason,) = verdict.reasons
    assert reason.startswith(f"{rule}: ")


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        ("distinct_replies", ["distinct replies"]),
        ("too_short", ["empty or too short"]),
        ("mean_words", ["mean words, not longer", "mean words, not shorter"]),
        ("repeated_trigrams", ["repeated trigrams"]),
        ("out_of_character", ["out of character"]),
        ("taboo_replies", ["taboo words"]),
        ("probes", ["probes passed"]),
        ("probes_passed", ["probes passed"]),
        ("secrets_leaked", ["secrets leaked"]),
    ],
)
def test_what_was_not_measured_fails(field: str, rules: list[str]) -> None:
    verdict = judge(_but(**{field: None}), Thresholds())
    assert _failed(verdict) == rules
    assert "not measured for the candidate" in verdict.reasons[0]


def test_an_unmeasured_incumbent_fails_too() -> None:
    measured = replace(GOOD, incumbent=replace(INCUMBENT, probes=None))
    assert "not measured for the incumbent" in judge(measured, Thresholds()).reasons[0]


@pytest.mark.parametrize(
    ("measured", "rule"),
    [
        (replace(GOOD, margins=None), "preference"),
        (replace(GOOD, chosen_words=None), "mean words, not shorter"),
    ],
    ids=["margins", "chosen_words"],
)
def test_missing_held_out_numbers_fail(measured: Measurements, rule: str) -> None:
    assert _failed(judge(measured, Thresholds())) == [rule]


def test_a_shorter_voice_is_refused_when_players_chose_long_replies() -> None:
    verdict = judge(replace(GOOD, chosen_words=45.0), Thresholds())
    assert _failed(verdict) == ["mean words, not shorter"]


def test_no_probes_at_all_fail_closed() -> None:
    measured = replace(
        GOOD,
        incumbent=replace(INCUMBENT, probes=0, probes_passed=0),
        candidate=replace(GOOD.candidate, probes=0, probes_passed=0),
    )
    assert _failed(judge(measured, Thresholds())) == ["probes passed"]


def test_few_rows_prove_less_than_many() -> None:
    few = [Margin(f"player-{index}", 1.0) for index in range(8)]
    many = [Margin(f"player-{index}", 1.0) for index in range(80)]
    assert 0.5 < lower_bound(few, 0.95) < lower_bound(many, 0.95) < 1


def test_rows_of_few_players_prove_less_than_rows_of_many() -> None:
    values = [1.0] * 30 + [-1.0] * 10
    clustered = [Margin(str(index // 10), value) for index, value in enumerate(values)]
    spread = [Margin(str(index), value) for index, value in enumerate(values)]
    assert lower_bound(clustered, 0.95) < lower_bound(spread, 0.95)


def test_the_same_rows_get_the_same_verdict() -> None:
    assert judge(GOOD, Thresholds()) == judge(GOOD, Thresholds())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Thresholds(confidence=0.4),
        lambda: Thresholds(min_margins=0),
        lambda: Thresholds(max_longer=0.5),
        lambda: Thresholds(min_shorter=0),
    ],
)
def test_a_senseless_threshold_is_refused(make: Callable[[], Thresholds]) -> None:
    with pytest.raises(ConfigError):
        make()
