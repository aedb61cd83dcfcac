"""Simulated players, on a scripted engine."""

from collections import Counter

import pytest

from feedback_store.rate_limit import RateLimit
from feedback_store.records import Kind, Source
from npc_client.players import Habit, Player, Visit, play, population, visits
from npc_client.tastes import BLUNT
from npc_server.engine.protocol import Request
from tests.support.scripted_server import StageMaker

pytestmark = pytest.mark.service

DULL, GOOD = "Who knows what may come", "Mind the sparks, stranger."


async def told(stage: StageMaker, player: Player, first: str, second: str = GOOD) -> list[Kind]:
    """What a player sends about one line: the kinds of events, in order."""

    def say(request: Request) -> str:
        return first if request.sampling.seed < 500 else second

    made = await stage(say)
    await play(made.client, Visit(player, "mira", ("Hello.",), seed=1), Counter())
    events = sorted(made.store.events("mira"), key=lambda event: event.created_at)
    return [event.kind for event in events if event.source is Source.EXPLICIT]


async def test_they_consent_and_the_usual_limit_lets_all_their_events_through(
    stage: StageMaker,
) -> None:
    made = await stage(limit=RateLimit())
    counts: Counter[str] = Counter()
    for round_ in visits(population(8, BLUNT), "mira", lines_per_visit=2, rounds=5, seed=1):
        for visit in round_:
            await play(made.client, visit, counts)
    events = made.store.events("mira")
    sent = [event for event in events if event.source is Source.EXPLICIT]
    assert len(sent) == counts["thumbs"] + counts["edits"] + counts["choices"] > 100
    assert {turn.consent for turn in made.store.turns("mira")} == {True}


@pytest.mark.parametrize(
    ("habit", "reaction"),
    [(Habit.EDITS, [Kind.EDIT]), (Habit.PICKS, [Kind.CHOICE]), (Habit.VOTES, [])],
)
async def test_a_habit_decides_what_follows_a_reply_that_displeases(
    stage: StageMaker, habit: Habit, reaction: list[Kind]
) -> None:
    assert await told(stage, Player("a", BLUNT, habit), DULL) == [Kind.THUMB, *reaction]


@pytest.mark.parametrize("habit", Habit)
async def test_what_pleases_gets_a_thumb_and_no_more(stage: StageMaker, habit: Habit) -> None:
    assert await told(stage, Player("a", BLUNT, habit), GOOD) == [Kind.THUMB]


async def test_two_takes_that_please_alike_are_not_chosen_between(stage: StageMaker) -> None:
    assert await told(stage, Player("a", BLUNT, Habit.PICKS, thumbs=False), DULL, DULL) == []


async def test_who_gives_no_thumbs_only_corrects(stage: StageMaker) -> None:
    assert await told(stage, Player("a", BLUNT, Habit.EDITS, thumbs=False), DULL) == [Kind.EDIT]
