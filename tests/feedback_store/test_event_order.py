"""Of two events about one thing the one that happened last counts, however late another comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from feedback_store.records import (
    Choice,
    Edit,
    Event,
    Payload,
    Rating,
    Reaction,
    Session,
    Thumb,
)
from feedback_store.selection import select
from feedback_store.store import Store
from tests.support.feedback_log import ALL_TRAINED
from tests.support.turns import NOON, TURN

UP, DOWN = Thumb(True), Thumb(False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with one turn, which ended at noon."""
    with Store.open(tmp_path / "feedback.db") as store:
        session = Session(
            TURN.session_id, TURN.player_id, "mira", TURN.persona_version, True, TURN.created_at
        )
        store.record_session(session).result()
        store.record_turn(TURN).result()
        yield store


def at(minutes: float) -> datetime:
    """Minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def send(
    store: Store, event_id: str, payload: Payload, arrived: float, occurred: float | None
) -> datetime | None:
    """Store an event; times are minutes after noon. Returns when it counts from."""
    occurred_at = None if occurred is None else at(occurred)
    event = Reaction(event_id, payload, at(arrived), TURN.turn_id, occurred_at=occurred_at)
    return store.submit(event).result().happened_at


def last_vote(folder: Path) -> str:
    """The vote in the view that people browse."""
    (row,) = Database(folder / "feedback.db").query("SELECT vote FROM replies")
    return str(row["vote"])


def test_a_vote_that_was_cast_before_another_and_arrives_after_it_does_not_count(
    store: Store, tmp_path: Path
) -> None:
    send(store, "online", UP, arrived=10, occurred=10)
    send(store, "offline", DOWN, arrived=20, occurred=5)
    (label,) = select("mira", store.turns("mira"), store.events("mira"), ALL_TRAINED).train_labels
    (figures,) = store.statistics("mira").versions
    assert label.desirable
    assert (figures.likes, figures.dislikes) == (1, 0)
    assert last_vote(tmp_path) == "up"


def test_without_a_time_the_arrival_counts(store: Store, tmp_path: Path) -> None:
    send(store, "first", UP, arrived=10, occurred=None)
    send(store, "second", DOWN, arrived=20, occurred=None)
    assert last_vote(tmp_path) == "down"


def test_at_the_same_time_the_arrival_decides(store: Store, tmp_path: Path) -> None:
    send(store, "z", UP, arrived=10, occurred=5)
    send(store, "a", DOWN, arrived=20, occurred=5)
    assert last_vote(tmp_path) == "down"
    (label,) = select("mira", store.turns("mira"), store.events("mira"), ALL_TRAINED).train_labels
    assert not label.desirable


@pytest.mark.parametrize(
    ("occurred", "counts"),
    [(90, 20), (-60 * 24 * 365 * 100, 0), (-1, 0), (7, 7)],
    ids=["future", "century ago", "before the turn", "between"],
)
def test_a_wrong_clock_is_put_right(store: Store, occurred: float, counts: float) -> None:
    assert send(store, "e", UP, arrived=20, occurred=occurred) == at(counts)
    (event,) = store.events("mira")
    assert (event.occurred_at, event.created_at) == (at(counts), at(20))


def test_many_events_at_once_are_ordered_as_single_ones(store: Store) -> None:
    votes = [
        Reaction(f"e{i}", Rating(stars), at(20 + i), TURN.turn_id, occurred_at=at(minutes))
        for i, (stars, minutes) in enumerate([(1, 3), (5, 90), (2, 4), (3, -9), (4, 8)])
    ]
    store.submit_all(votes).result()
    times = {event.event_id: event.occurred_at for event in store.events("mira")}
    assert times == {"e0": at(3), "e1": at(21), "e2": at(4), "e3": at(0), "e4": at(8)}
    (figures,) = store.statistics("mira").versions
    assert figures.stars == 5


def test_a_choice_is_not_before_any_take_it_was_made_among(store: Store) -> None:
    later = replace(TURN, turn_id="later", take=1, created_at=at(15))
    store.record_turn(later).result()
    assert send(store, "c", Choice(("later",)), arrived=20, occurred=3) == at(15)


def test_a_correction_that_is_undone_leaves_the_one_before_by_its_time(store: Store) -> None:
    send(store, "newest", Edit("Third."), arrived=10, occurred=9)
    send(store, "oldest", Edit("First."), arrived=20, occurred=2)
    send(store, "middle", Edit("Second."), arrived=30, occurred=5)
    store.undo("newest").result()
    (pair,) = select("mira", store.turns("mira"), store.events("mira"), ALL_TRAINED).train_pairs
    assert pair.chosen == "Second."


def test_the_same_event_with_another_time_is_the_same(store: Store) -> None:
    send(store, "e", UP, arrived=10, occurred=5)
    again = Reaction("e", UP, at(30), TURN.turn_id, occurred_at=at(25))
    assert store.submit(again).result().duplicate
    (event,) = store.events("mira")
    assert event.occurred_at == at(5)


def test_an_export_tells_when_it_happened_and_when_it_arrived(store: Store) -> None:
    send(store, "told", UP, arrived=10, occurred=5)
    send(store, "untold", UP, arrived=20, occurred=None)
    told, untold = json.loads(json.dumps(list(store.reactions("mira"))))
    assert datetime.fromisoformat(told["occurred_at"]) == at(5)
    assert datetime.fromisoformat(told["created_at"]) == at(10)
    assert untold["occurred_at"] == untold["created_at"]


def test_events_are_sorted_by_when_they_happened() -> None:
    early = Event("b", "t", "s", "p", UP, at(20), occurred_at=at(1))
    late = Event("a", "t", "s", "p", UP, at(10))
    assert sorted([late, early], key=lambda event: event.order) == [early, late]
