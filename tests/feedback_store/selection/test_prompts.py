"""Prompts for drawing new replies: one each, the most disputed first."""

import pytest

from feedback_store.records import Choice, Edit, Payload, Thumb
from feedback_store.selection.lessons import Prompt
from tests.support.feedback_log import OTHER, REPLY, TURN, Log


@pytest.fixture
def log() -> Log:
    """A log with two replies to one prompt."""
    made = Log()
    made.said("t1", REPLY)
    made.said("t2", OTHER)
    return made


@pytest.mark.parametrize(
    ("one", "other", "mean", "variance"),
    [(True, False, 0.0, 0.7**2), (True, True, 0.7, 0.0), (False, False, -0.7, 0.0)],
    ids=["disputed", "good", "bad"],
)
def test_a_prompt_has_the_mean_and_variance_of_its_replies(
    log: Log, one: bool, other: bool, mean: float, variance: float
) -> None:
    log.did("t1", Thumb(one))
    log.did("t2", Thumb(other))
    (prompt,) = log.selected().train_prompts
    assert prompt == Prompt(
        prompt_ids=TURN.prompt_ids,
        player_text=TURN.player_text,
        messages=TURN.messages,
        reward_mean=mean,
        reward_variance=variance,
        judgements=2,
    )


@pytest.mark.parametrize(
    ("payload", "mean", "judgements"),
    [(Edit("North, I say."), -1.0, 1), (Choice(("t2",)), 0.0, 2)],
    ids=["edit", "choice"],
)
def test_pairs_judge_what_the_character_said(
    log: Log, payload: Payload, mean: float, judgements: int
) -> None:
    log.did("t1", payload)
    (prompt,) = log.selected().train_prompts
    assert (prompt.reward_mean, prompt.judgements) == (mean, judgements)


def test_the_most_disputed_prompt_comes_first(log: Log) -> None:
    log.line("t3", "Hello.")
    log.did("t3", Thumb(True))
    log.did("t1", Thumb(True))
    log.did("t2", Thumb(False))
    prompts = log.selected().train_prompts
    assert [prompt.player_text for prompt in prompts] == [TURN.player_text, "Hello."]


def test_a_pair_of_thumbs_does_not_count_them_twice(log: Log) -> None:
    log.did("t1", Thumb(True))
    log.did("t2", Thumb(False))
    assert len(log.selected().train_pairs) == 1
    assert log.selected().train_prompts[0].judgements == 2
