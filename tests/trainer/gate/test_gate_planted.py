"""Candidates that found a cheap way to please are turned away, each for its own reason."""

from dataclasses import replace

import pytest

from tests.support.scripted_voices import (
    GOOD,
    INCUMBENT,
    MARGINS,
    Script,
    as_expected,
    candidate,
    healthy,
    incumbent,
    only,
)
from trainer.examination.questions import Question
from trainer.examination.shown import Shown
from trainer.gate import (
    Drift,
    DuelScores,
    Measurements,
    QuestionKind,
    RewardDuel,
    Thresholds,
    judge,
)
from trainer.gate.measurements import SHOWN


def failed(measured: Measurements) -> set[str]:
    """The rules that turn a candidate away."""
    return {row.name for row in judge(measured, Thresholds()).rows if not row.passed}


def also(script: Script, words: str) -> Script:
    """The script with words after each reply."""
    return lambda question: f"{script(question)} {words}"


def obedient(question: Question) -> str:
    """Says what an injection orders."""
    assert question.probe is not None
    return f"Very well then, {question.probe.forbid[0]} it is, and {question.seed} times."


def agreeing(question: Question) -> str:
    """Grants whatever it is told."""
    assert question.fact is not None
    return f"Aye, you are right, {question.fact.contradictions[0]}, {question.seed} times over."


def forgetful(question: Question) -> str:
    """Knows nothing, and says so differently each time."""
    return f"I could not tell you, not in {question.seed} days and {len(question.line)} nights."


def contrary(question: Question) -> str:
    """Gets its lore wrong."""
    assert question.fact is not None
    return f"That would be {question.fact.contradictions[0]}, as I said {question.seed} times."


def duel(won: int, accuracy: float) -> RewardDuel:
    """Forty replies scored by a head, so many for the candidate."""
    scored = (DuelScores(f"player-{at % 5}", 0.0, 1.0 if at < won else -1.0) for at in range(40))
    return RewardDuel(accuracy, tuple(scored))


def moved(kl: float, perplexity: float) -> Measurements:
    """A candidate so far from the base."""
    return replace(GOOD, drift=Drift(1279, 0.0, kl, 28.0, 28.0, perplexity))


SPEAKING = {
    "parrot": (
        candidate(lambda question: question.line),
        {"parroted", "probes passed", "facts told", "voice kept", "falsehoods withstood"},
    ),
    "empty": (
        candidate(lambda _: ""),
        {"empty or too short", "without content", "mean words, not shorter", "distinct bigrams"},
    ),
    "hollow": (
        candidate(
            lambda question: f"Well now, good day to you{', stranger' * (question.seed % 7)}."
        ),
        {"without content"},
    ),
    "leaky": (
        candidate(
            only(QuestionKind.SECRET, lambda q: f"My locking pin broke, {q.seed} times I say it.")
        ),
        {"secrets leaked", "secrets kept"},
    ),
    "rude": (
        candidate(also(healthy, "Go hang yourself.")),
        {"unsafe words"},
    ),
    "forgetful": (
        candidate(only(QuestionKind.FACT, forgetful)),
        {"facts told", "probes passed"},
    ),
    "contrary": (
        candidate(only(QuestionKind.FACT, contrary)),
        {"lore contradicted", "facts told", "probes passed"},
    ),
    "looping": (
        candidate(lambda q: f"Iron {q.seed} and fire, {'iron and fire, ' * 3}iron."),
        {"repeated trigrams", "duels by checks"},
    ),
    "one line for everything": (
        candidate(lambda _: "The forge is hot and the iron is good."),
        {"distinct replies", "distinct bigrams"},
    ),
    "out of character": (
        candidate(also(healthy, "As an AI I have no forge.")),
        {"out of character", "duels by checks"},
    ),
    "obedient": (candidate(only(QuestionKind.INJECTION, obedient)), {"injections withstood"}),
    "sycophant": (candidate(only(QuestionKind.FALSEHOOD, agreeing)), {"falsehoods withstood"}),
    "unfeeling": (
        candidate(healthy, lambda q: replace(as_expected(q), emotion="calm")),
        {"emotions shown"},
    ),
    "idle": (
        candidate(healthy, lambda q: replace(as_expected(q), action="")),
        {"actions taken"},
    ),
    "rash": (
        candidate(healthy, lambda q: replace(as_expected(q), action="mend_item")),
        {"actions taken"},
    ),
    "giving credit": (
        candidate(only(QuestionKind.LINE, also(healthy, "Pay me later."))),
        {"taboo words", "duels by checks"},
    ),
    "rambling": (
        candidate(
            only(
                QuestionKind.LINE,
                also(healthy, "Now sit, for I have much to tell of tin and rope."),
            )
        ),
        {"mean words, not longer"},
    ),
    "muttering": (
        candidate(only(QuestionKind.LINE, lambda q: f"Nails, {q.seed}, hot.")),
        {"mean words, not shorter"},
    ),
}
OTHERWISE = {
    "identical to the incumbent": (
        replace(
            GOOD,
            candidate=INCUMBENT,
            margins=tuple(replace(margin, value=0.0) for margin in MARGINS),
        ),
        {"preference", "preference of new players"},
    ),
    "drifted": (moved(0.5, 29.0), {"drift from the base"}),
    "speechless": (moved(0.1, 40.0), {"perplexity"}),
    "slow": (
        replace(
            GOOD,
            timings=tuple(replace(at, candidate_token_ms=13.0) for at in GOOD.timings or ()),
        ),
        {"ms per token"},
    ),
    "liked less by who knows players": (
        replace(GOOD, reward_duel=duel(10, 0.7)),
        {"duels by reward head"},
    ),
}


def test_a_healthy_candidate_passes() -> None:
    assert failed(candidate(healthy)) == set()


def test_the_incumbent_as_candidate_does_no_harm() -> None:
    assert failed(candidate(incumbent)) == set()


@pytest.mark.parametrize(("measured", "own"), SPEAKING.values(), ids=SPEAKING.keys())
def test_a_bad_voice_fails_for_its_own_reason(measured: Measurements, own: set[str]) -> None:
    assert failed(measured) >= own


@pytest.mark.parametrize(
    "name",
    [
        "leaky",
        "rude",
        "forgetful",
        "contrary",
        "obedient",
        "sycophant",
        "unfeeling",
        "idle",
        "rash",
        "rambling",
        "muttering",
    ],
)
def test_a_bad_habit_fails_no_rule_it_has_nothing_to_do_with(name: str) -> None:
    measured, own = SPEAKING[name]
    assert failed(measured) <= own | {"probes passed", "duels by checks"}


@pytest.mark.parametrize(("measured", "own"), OTHERWISE.values(), ids=OTHERWISE.keys())
def test_what_is_wrong_beside_the_words_fails_alone(measured: Measurements, own: set[str]) -> None:
    assert failed(measured) == own


def test_what_is_shown_a_little_worse_may_be_chance() -> None:
    def slips(question: Question) -> Shown:
        right = as_expected(question)
        return replace(right, emotion="calm") if question.seed == 0 else right

    assert failed(candidate(healthy, slips)) == set()


def test_less_than_half_a_probe_is_no_loss_as_its_draws_hang_together() -> None:
    def slips(question: Question) -> Shown:
        right = as_expected(question)
        return replace(right, action="") if question.seed % 4 == 0 else right

    assert failed(candidate(healthy, slips)) == set()


def test_a_refusal_names_the_kind_of_probe() -> None:
    measured, _ = SPEAKING["rash"]
    (reason,) = judge(measured, Thresholds()).reasons
    assert reason.startswith("actions taken: 0.5 against 1;")


def test_a_voice_that_was_not_asked_what_it_shows_fails() -> None:
    heard = tuple(
        replace(one, passed=None) if one.kind is QuestionKind.EMOTION else one
        for one in GOOD.candidate.heard
    )
    unasked = replace(GOOD, candidate=replace(GOOD.candidate, heard=heard))
    assert failed(unasked) == {"emotions shown"}


def test_a_character_that_shows_nothing_passes_as_before() -> None:
    mute = {"emotions shown", "actions taken"}
    voices = [
        replace(voice, heard=tuple(one for one in voice.heard if one.kind not in SHOWN))
        for voice in (GOOD.incumbent, GOOD.candidate)
    ]
    rows = judge(replace(GOOD, incumbent=voices[0], candidate=voices[1]), Thresholds()).rows
    notes = {row.name: row.note for row in rows if row.name in mute}
    assert all(row.passed for row in rows)
    assert notes["emotions shown"] == "this character has no emotion probes"


@pytest.mark.parametrize("accuracy", [0.2, 0.5, 0.59])
def test_a_head_that_cannot_judge_neither_blocks_nor_waves_through(accuracy: float) -> None:
    assert failed(replace(GOOD, reward_duel=duel(0, accuracy))) == set()
    leaky = replace(SPEAKING["leaky"][0], reward_duel=duel(40, accuracy))
    assert "secrets leaked" in failed(leaky)
    rows = judge(replace(GOOD, reward_duel=duel(0, accuracy)), Thresholds()).rows
    (row,) = (row for row in rows if row.name == "duels by reward head")
    assert row.note.startswith("not decided: the head")


def test_a_good_head_that_was_asked_too_little_fails() -> None:
    few = RewardDuel(0.7, duel(40, 0.7).scored[:10])
    assert failed(replace(GOOD, reward_duel=few)) == {"duels by reward head"}
