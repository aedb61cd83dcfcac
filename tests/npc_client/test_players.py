"""Simulated players react by a stated taste."""

import pytest

from feedback_store.selection.near_text import line_key, neighbours
from npc_client.players import (
    Habit,
    Player,
    lines_of,
    population,
    visits,
    vote,
)
from npc_client.tastes import BLUNT


@pytest.mark.parametrize(("noise", "wrong"), [(0.0, 0), (0.25, 125), (1.0, 500)])
def test_half_of_what_a_coin_decides_is_wrong(noise: float, wrong: int) -> None:
    player = Player("a", BLUNT, Habit.VOTES, noise=noise)
    found = sum(vote(player, True, seed) is False for seed in range(1000))
    assert found == pytest.approx(wrong, abs=50 * (noise > 0))


def test_players_who_give_feedback_never_hear_the_final_questions() -> None:
    said = {line_key(line) for line in lines_of("mira", "visits")}
    asked = [*lines_of("mira", "questions"), *lines_of("mira", "more_questions")]
    asked_keys = {line_key(line) for line in asked}
    assert len(asked_keys) == len(asked)
    assert neighbours(said, asked_keys) == []


def test_the_same_seed_plans_the_same_visits() -> None:
    players = population(8, BLUNT)
    assert visits(players, "mira", 2, 3, seed=1) == visits(players, "mira", 2, 3, seed=1)


def test_most_players_edit_and_every_fourth_picks() -> None:
    habits = [player.habit for player in population(8, BLUNT)]
    assert habits.count(Habit.PICKS) == 2
    assert habits.count(Habit.EDITS) == 6
