"""Events wait while somebody speaks, go in portions, and are answered once they are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedback_store.errors import StoreUnavailableError, UnknownTurnError
from feedback_store.records import Reaction, Receipt, Session, Thumb
from feedback_store.store import Store
from npc_server import event_queue
from npc_server.errors import EventsWaitError
from npc_server.event_queue import EventQueue, Moment, is_due
from tests.support.disk_faults import locked
from tests.support.turns import NOON, TURN

SOON_S = 0.01
NEVER_S = 3600.0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that knows turn t1, under a queue that looks often."""
    monkeypatch.setattr(event_queue, "LOOK_EVERY_S", SOON_S)
    with Store.open(tmp_path / "feedback.db", busy_timeout_s=SOON_S) as opened:
        opened.record_session(Session("s1", "ann", "mira", "aa11", True, NOON)).result()
        opened.record_turn(TURN).result()
        yield opened


class Speech:
    """Whether somebody speaks, and the queue that asks."""

    def __init__(self, store: Store) -> None:
        self.runs = True
        self.queue = EventQueue(store, lambda: self.runs)


def thumb(name: str, turn_id: str = "t1") -> Reaction:
    """A like under that id."""
    return Reaction(name, Thumb(True), NOON, turn_id)


async def sent(queue: EventQueue, *calls: list[Reaction]) -> list[asyncio.Task[list[Any]]]:
    """One call for each list, all under way; their results are receipts and errors."""
    tasks: list[asyncio.Task[list[Any]]]
    tasks = [asyncio.create_task(queue.store(call)) for call in calls]
    await asyncio.sleep(0)
    return tasks


def stored(store: Store) -> set[str]:
    """The ids of what is on disk."""
    return {event.event_id for event in store.events("mira")}


async def test_nothing_waits_while_nobody_speaks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "LOOK_EVERY_S", NEVER_S)
    speech = Speech(store)
    speech.runs = False
    (receipt,) = await speech.queue.store([thumb("e1")])
    assert (isinstance(receipt, Receipt), stored(store)) == (True, {"e1"})


async def test_events_of_many_calls_are_stored_as_one_and_answered_each(store: Store) -> None:
    calls = await sent(
        Speech(store).queue, [thumb("e1"), thumb("lost", "nope")], [thumb("e2")], [thumb("e3")]
    )
    (first, unknown), (second,), (third,) = await asyncio.gather(*calls)
    assert isinstance(unknown, UnknownTurnError)
    assert [one.event_id for one in (first, second, third)] == ["e1", "e2", "e3"]
    assert first.received_at == second.received_at == third.received_at  # one write


async def test_a_portion_leaves_the_rest_for_the_next_in_their_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "PORTION", 2)
    calls = await sent(Speech(store).queue, *([thumb(f"e{i}")] for i in range(5)))
    receipts = [receipt for (receipt,) in await asyncio.gather(*calls)]
    times = [receipt.received_at for receipt in receipts]
    assert [times.count(moment) for moment in sorted(set(times))] == [2, 2, 1]
    assert times == sorted(times)


async def test_a_call_larger_than_a_portion_goes_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "PORTION", 2)
    many = [thumb(f"e{i}") for i in range(9)]
    (call, after) = await sent(Speech(store).queue, many, [thumb("after")])
    await asyncio.gather(call, after)
    assert stored(store) == {"after", *(one.event_id for one in many)}


async def test_nothing_is_answered_before_its_portion(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "is_due", lambda *_: False)
    speech = Speech(store)
    (call,) = await sent(speech.queue, [thumb("e1")])
    await asyncio.sleep(5 * SOON_S)
    assert (call.done(), speech.queue.waiting, stored(store)) == (False, 1, set())
    speech.runs = False  # the reply has ended
    await call
    assert (speech.queue.waiting, stored(store)) == (0, {"e1"})


async def test_beyond_a_number_of_calls_the_next_is_refused_with_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "MAX_WAITING", 1)
    queue = Speech(store).queue
    (first,) = await sent(queue, [thumb("e1")])
    with pytest.raises(EventsWaitError, match="1 calls with events wait") as caught:
        await queue.store([thumb("e2")])
    await first
    assert caught.value.retry_after_s >= 1
    assert stored(store) == {"e1"}


async def test_an_event_that_waits_can_be_undone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "LOOK_EVERY_S", NEVER_S)
    queue = Speech(store).queue
    (call,) = await sent(queue, [thumb("e1")])
    assert (await queue.undo("e1")).event_id == "e1"
    await call
    (event,) = store.events("mira")
    assert event.undone


async def test_what_could_not_be_stored_is_said_to_every_call(store: Store, tmp_path: Path) -> None:
    queue = Speech(store).queue
    with locked(tmp_path):
        calls = await sent(queue, [thumb("e1")], [thumb("e2")])
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailableError] * 2
    assert stored(store) == set()


@pytest.mark.parametrize(
    ("elapsed_s", "used_s", "due"),
    [
        pytest.param(0.1, 0.02, True, id="within-its-share"),
        pytest.param(0.1, 0.03, False, id="beyond-it"),
        pytest.param(0.2, 0.03, True, id="later"),
        pytest.param(2.0, 2.0, True, id="nobody-waits-longer"),
    ],
)
def test_a_portion_is_due_when_the_process_has_kept_to_an_eighth_of_two_cores(
    elapsed_s: float, used_s: float, due: bool
) -> None:
    last = Moment(10.0, 5.0)
    now = replace(last, at_s=10.0 + elapsed_s, used_s=5.0 + used_s)
    assert is_due(last, now, cores=2) is due
