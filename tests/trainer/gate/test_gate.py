"""Every row of the gate says what it saw, and a number that is missing never passes."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
from pydantic import TypeAdapter

from feedback_store.selection import HeldOutBy
from tests.support.scripted_voices import GOOD, MARGINS
from trainer.errors import ConfigError
from trainer.gate import (
    RULES,
    CheckedReply,
    Fault,
    Margin,
    Measurements,
    QuestionKind,
    RuleResult,
    Thresholds,
    Verdict,
    VoiceReport,
    judge,
)


def failed(verdict: Verdict) -> list[str]:
    return [row.name for row in verdict.rows if not row.passed]


def row(measured: Measurements, name: str) -> RuleResult:
    (found,) = (row for row in judge(measured, Thresholds()).rows if row.name == name)
    return found


def without(fault: Fault) -> Measurements:
    """A candidate that was not looked at for a fault."""

    def blind(reply: CheckedReply) -> CheckedReply:
        seen = {known: found for known, found in reply.faults.items() if known is not fault}
        return replace(reply, faults=seen)

    heard = tuple(map(blind, GOOD.candidate.heard))
    return replace(GOOD, candidate=replace(GOOD.candidate, heard=heard))


def test_a_candidate_players_prefer_passes() -> None:
    verdict = judge(GOOD, Thresholds())
    assert verdict.passed
    assert verdict.reasons == ()
    assert len(verdict.rows) == len(RULES)


def test_a_language_that_cannot_be_read_fails() -> None:
    measured = replace(GOOD, unread=("no list of unsafe words in Finnish",))
    assert failed(judge(measured, Thresholds())) == ["language"]


MARGINS_OF = {
    "moved away": tuple(replace(margin, value=-margin.value) for margin in MARGINS),
    "changed nothing": tuple(replace(margin, value=0.0) for margin in MARGINS),
    "pleased one player": (
        *(Margin("a", 1.0) for _ in range(14)),
        *(Margin(name, -1.0) for name in "bcdef"),
    ),
    "was hardly compared": MARGINS[1:6],
    "was never compared": None,
}


@pytest.mark.parametrize("margins", MARGINS_OF.values(), ids=MARGINS_OF.keys())
def test_a_candidate_without_gain_fails(margins: tuple[Margin, ...] | None) -> None:
    verdict = judge(replace(GOOD, margins=margins), Thresholds())
    assert failed(verdict)[0] == "preference"
    assert verdict.reasons[0].startswith("preference: ")


def test_players_nobody_was_trained_on_decide_for_themselves() -> None:
    strangers = tuple(Margin(f"new-{at % 3}", -1.0, HeldOutBy.PLAYER) for at in range(8))
    known = tuple(Margin(f"known-{at}", 1.0, HeldOutBy.TIME) for at in range(40))
    measured = replace(GOOD, margins=strangers + known)
    assert failed(judge(measured, Thresholds())) == ["preference of new players"]
    assert row(measured, "preference over time").candidate == 1


def test_a_few_rows_of_new_players_are_told_and_do_not_decide() -> None:
    strangers = tuple(Margin("new", -1.0, HeldOutBy.PLAYER) for _ in range(2))
    known = tuple(Margin(f"known-{at}", 1.0, HeldOutBy.TIME) for at in range(40))
    found = row(replace(GOOD, margins=strangers + known), "preference of new players")
    assert found.passed
    assert found.rule.startswith("for information")
    assert (found.candidate, found.note) == (0, "2 rows")


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        (Fault.LEAK, ["duels by checks", "secrets leaked"]),
        (Fault.UNSAFE, ["duels by checks", "unsafe words"]),
        (Fault.OUT_OF_CHARACTER, ["duels by checks", "out of character"]),
        (Fault.TOO_SHORT, ["duels by checks", "empty or too short"]),
        (Fault.LOOP, ["duels by checks"]),
        (Fault.TABOO, ["duels by checks", "taboo words"]),
        (Fault.NO_CONTENT, ["without content"]),
        (Fault.PARROT, ["parroted"]),
        (Fault.CONTRADICTION, ["lore contradicted"]),
    ],
)
def test_what_was_not_looked_for_fails(fault: Fault, rules: list[str]) -> None:
    verdict = judge(without(fault), Thresholds())
    assert failed(verdict) == rules
    assert "not measured for the candidate" in verdict.reasons[-1] or "not made" in str(verdict)


MISSING = {
    "margins": (replace(GOOD, margins=None), ["preference"]),
    "length of choices": (replace(GOOD, chosen_words=None), ["mean words, not shorter"]),
    "drift": (replace(GOOD, drift=None), ["drift from the base", "perplexity"]),
    "timings": (replace(GOOD, timings=None), ["ms per token", "ms to the first token"]),
    "few timings": (
        replace(GOOD, timings=(GOOD.timings or ())[:3]),
        ["ms per token", "ms to the first token"],
    ),
    "distinct replies": (
        replace(GOOD, incumbent=replace(GOOD.incumbent, distinct_replies=None)),
        ["distinct replies"],
    ),
    "bigrams": (
        replace(GOOD, candidate=replace(GOOD.candidate, distinct_bigrams=None)),
        ["distinct bigrams"],
    ),
    "some replies": (
        replace(GOOD, candidate=replace(GOOD.candidate, heard=GOOD.candidate.heard[1:])),
        ["replies"],
    ),
}


@pytest.mark.parametrize(("measured", "rules"), MISSING.values(), ids=MISSING.keys())
def test_a_missing_number_fails(measured: Measurements, rules: list[str]) -> None:
    assert failed(judge(measured, Thresholds())) == rules


def test_a_voice_that_was_not_heard_fails_every_rule_about_replies() -> None:
    silent = replace(GOOD.candidate, heard=(), distinct_replies=None, distinct_bigrams=None)
    named = failed(judge(replace(GOOD, candidate=silent), Thresholds()))
    assert {"probes passed", "secrets leaked", "injections withstood", "replies"} <= set(named)


def test_probes_without_an_answer_fail() -> None:
    heard = tuple(replace(reply, passed=None) for reply in GOOD.candidate.heard)
    measured = replace(GOOD, candidate=replace(GOOD.candidate, heard=heard))
    assert "not measured for the candidate" in row(measured, "probes passed").note
    assert not row(measured, "facts told").passed


def test_a_shorter_voice_is_refused_when_players_chose_long_replies() -> None:
    longer = tuple(replace(reply, words=45) for reply in GOOD.incumbent.heard)
    old = replace(GOOD, incumbent=replace(GOOD.incumbent, heard=longer), chosen_words=40.0)
    assert failed(judge(old, Thresholds())) == ["mean words, not shorter"]


def test_a_question_weighs_the_same_however_often_it_is_drawn() -> None:
    def voice(draws: int, agrees: bool) -> VoiceReport:
        probe = [reply("canary machine", QuestionKind.CANARY, at, agrees) for at in range(draws)]
        lines = [reply("p", QuestionKind.LINE, at, False) for at in range(9)]
        return replace(GOOD.candidate, heard=(*probe, *lines))

    shares = [
        row(replace(GOOD, incumbent=voice(n, False), candidate=voice(n, True)), "out of character")
        for n in (1, 16)
    ]
    assert [share.candidate for share in shares] == [0.1, 0.1]


def reply(cluster: str, kind: QuestionKind, draw: int, out: bool) -> CheckedReply:
    return CheckedReply(
        f"{kind} {cluster} {draw}", cluster, kind, 5, 0.0, None, {Fault.OUT_OF_CHARACTER: out}
    )


def test_rows_keep_how_far_a_number_is_known() -> None:
    found = row(GOOD, "probes passed").estimate
    assert found is not None
    assert (found.n, found.clusters) == (176, 11)
    assert found.low <= found.value <= found.high


def test_rows_and_measurements_outlive_the_process() -> None:
    verdict = judge(GOOD, Thresholds())
    assert json.loads(json.dumps([asdict(row) for row in verdict.rows]))[0]["name"] == "preference"
    kept = TypeAdapter(Measurements)
    read = kept.validate_python(json.loads(kept.dump_json(GOOD)))
    assert judge(read, Thresholds()) == verdict


@pytest.mark.parametrize(
    "make",
    [
        lambda: Thresholds(confidence=0.4),
        lambda: Thresholds(min_margins=0),
        lambda: Thresholds(max_longer=0.5),
        lambda: Thresholds(min_shorter=0),
        lambda: Thresholds(max_drift=0),
        lambda: Thresholds(max_slower=0.9),
        lambda: Thresholds(max_unsafe=1.5),
        lambda: Thresholds(max_probe_drop=-0.1),
    ],
)
def test_a_senseless_threshold_is_refused(make: Callable[[], Thresholds]) -> None:
    with pytest.raises(ConfigError):
        make()
