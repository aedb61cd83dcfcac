"""The demo's players, on a scripted engine."""

from collections import Counter

import pytest

from feedback_store.rate_limit import RateLimit
from feedback_store.records import Source
from npc_client.players import BLUNT, play, population, visits
from tests.service.conftest import StageMaker

pytestmark = pytest.mark.service


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
