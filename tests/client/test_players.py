"""Simulated players react by a stated taste."""

import pytest

from npc_client.players import BLUNT, Habit, ends_properly, lines_of, population, visits

LONG = (
    "I have been working at this forge since I was a girl of nine, you see. "
    "My mother taught me. She had a hammer (it is over there) and a temper"
)


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        pytest.param("Mind the sparks, stranger.", 3, id="all-wishes"),
        pytest.param("Mind the sparks.", 2, id="not-addressed"),
        pytest.param(LONG, 0, id="long-and-cut-off"),
    ],
)
def test_a_reply_earns_a_point_a_wish(reply: str, points: int) -> None:
    assert BLUNT.points(reply) == points


@pytest.mark.parametrize("variant", range(6))
@pytest.mark.parametrize("reply", [LONG, "", "Aye", "(laughs) No. I will not do that.", "a, b: c"])
def test_a_rewritten_reply_is_one_that_pleases(reply: str, variant: int) -> None:
    assert BLUNT.likes(BLUNT.rewrite("Where?", reply, variant))


def test_a_rewrite_keeps_the_words_that_answer() -> None:
    reply = "A fine day! Sit down by the fire, friend, and rest. The iron comes from Ostrel."
    rewritten = BLUNT.rewrite("Where does your iron come from?", reply, variant=1)
    assert rewritten == "The iron comes from Ostrel, stranger."


def test_a_reply_that_was_cut_off_does_not_end_properly() -> None:
    assert ends_properly("Done!")
    assert not ends_properly("and then I")


def test_players_who_give_feedback_never_hear_the_final_questions() -> None:
    assert set(lines_of("mira", "visits")).isdisjoint(lines_of("mira", "questions"))


def test_the_same_seed_plans_the_same_visits() -> None:
    players = population(8, BLUNT)
    assert visits(players, "mira", 2, 3, seed=1) == visits(players, "mira", 2, 3, seed=1)


def test_most_players_edit_and_every_fourth_picks() -> None:
    habits = [player.habit for player in population(8, BLUNT)]
    assert habits.count(Habit.PICKS) == 2
    assert habits.count(Habit.EDITS) == 6
