"""Who plays in the learning benchmark, what is tried, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.learning.experiment import (
    AUTO,
    Experiment,
    FeedbackKind,
    TasteName,
    UnknownNameError,
    parse_counts,
    parse_names,
    plan,
)
from benchmarks.learning.installation import FULL
from benchmarks.learning.population import PLAYER_KEY, PLAYERS, players, tastes
from benchmarks.learning.questions import questions
from benchmarks.learning.runner import Clock
from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.selection.rules import DEFAULT_RULES
from feedback_store.selection.splits import is_held_out
from npc_client.players import Habit, lines_of
from npc_client.tastes import BLUNT
from npc_server import config
from tests.support.experiments import MIRA
from trainer.methods.table import METHODS
from trainer.recipes import recipe


def crowd_of(taste: TasteName, kind: FeedbackKind = FeedbackKind.MIXED) -> Sequence[object]:
    return players(Experiment(taste, kind, AUTO, 1), MIRA)


def test_every_taste_has_players_and_judges() -> None:
    assert set(tastes(MIRA)) == set(TasteName)
    assert {len(crowd_of(taste)) for taste in TasteName} == {PLAYERS}


@pytest.mark.parametrize(
    ("kind", "habit", "thumbs"),
    [
        (FeedbackKind.EDITS, Habit.EDITS, False),
        (FeedbackKind.CHOICES, Habit.PICKS, False),
        (FeedbackKind.THUMBS, Habit.VOTES, True),
    ],
)
def test_a_kind_of_feedback_is_all_there_is(kind: FeedbackKind, habit: Habit, thumbs: bool) -> None:
    crowd = players(Experiment(TasteName.BLUNT, kind, AUTO, 1), MIRA)
    assert {(player.habit, player.thumbs) for player in crowd} == {(habit, thumbs)}


def test_a_tenth_are_adversaries_and_all_of_them_are_trained_on() -> None:
    crowd = players(Experiment(TasteName.ADVERSARIES, FeedbackKind.MIXED, AUTO, 1), MIRA)
    adverse = [player for player in crowd if player.taste is not BLUNT]
    names = Pseudonyms(PLAYER_KEY)
    unseen = {
        player.player_id
        for player in crowd
        if is_held_out(names.of(player.player_id), DEFAULT_RULES.held_out_share)
    }
    assert len(adverse) == PLAYERS // 10
    assert unseen.isdisjoint(player.player_id for player in adverse)
    assert len(unseen) == 5


def test_noisy_players_want_the_same_and_toss_coins() -> None:
    crowd = players(Experiment(TasteName.NOISY, FeedbackKind.MIXED, AUTO, 1), MIRA)
    assert {(player.taste, player.noise) for player in crowd} == {(BLUNT, 0.25)}


def test_every_combination_is_tried() -> None:
    planned = plan([TasteName.BLUNT, TasteName.PLAIN], [FeedbackKind.MIXED], ["dpo", "kto"], 2)
    assert [one.name for one in planned] == [
        "blunt/mixed/dpo",
        "blunt/mixed/kto",
        "plain/mixed/dpo",
        "plain/mixed/kto",
    ]


@pytest.mark.parametrize("method", METHODS)
def test_the_trainer_understands_how_a_method_is_asked_for(method: str) -> None:
    experiment = Experiment(TasteName.BLUNT, FeedbackKind.MIXED, method, 1)
    training = config.load(None, experiment.settings).training
    assert recipe.written_method({"training": training}, "mira") == method
    assert training["experimental"] == ("true" if METHODS[method].experimental else "false")


def test_the_rows_decide_when_no_method_is_asked_for() -> None:
    assert Experiment(TasteName.BLUNT, FeedbackKind.MIXED, AUTO, 1).settings == {}


def test_a_wrong_name_is_told_with_the_right_ones() -> None:
    with pytest.raises(UnknownNameError, match="blant: choose from blunt, "):
        parse_names("flowery, blant", TasteName)


def test_numbers_of_rows_come_small_to_large() -> None:
    assert parse_counts("48, 12,12") == [12, 48]
    assert parse_counts("") == []
    with pytest.raises(UnknownNameError, match="-1, many"):
        parse_counts("12,-1,many")


def test_a_budget_counts_what_nights_took() -> None:
    assert Clock(budget_s=0).allows(1000)
    clock = Clock(budget_s=1000, night_s=[300, 500])
    assert clock.needs_s(2) == 800
    assert clock.allows(2)
    assert not clock.allows(3)


def test_judges_ask_what_no_player_says_and_nothing_twice() -> None:
    asked = questions(FULL)
    assert len(set(asked)) == len(asked) == 36
    assert set(asked).isdisjoint(lines_of("mira", "visits"))
