"""What the store promises about records, whatever happens to the machine around it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from feedback_store.errors import (
    EventConflictError,
    InvalidEventError,
    InvalidRecordError,
    RecordConflictError,
    StoreClosedError,
    UnknownSessionError,
    UnknownTurnError,
)
from feedback_store.records import Choice, Counts, Edit, Event, Session, Thumb, Turn
from feedback_store.store import Store

MakeEvent = Callable[..., Event]


def test_a_turn_comes_back_equal(store: Store, turn: Turn) -> None:
    assert store.turn("t1") == turn
    assert store.turns("mira") == [turn]


def test_a_session_comes_back_equal(store: Store, session: Session) -> None:
    assert store.session("s1") == session


@pytest.mark.parametrize(
    "payload",
    [Thumb(True), Edit("No, dear.\x00🐉"), Choice(("t2",))],
    ids=["thumb", "edit", "choice"],
)
def test_an_event_comes_back_equal(
    store: Store, turn: Turn, make_event: MakeEvent, payload: Any
) -> None:
    store.record_turn(replace(turn, turn_id="t2", take=1)).result()
    event = make_event(payload)
    store.submit(event).result()
    assert store.events("mira") == [event]


def test_what_is_not_recorded_reads_as_none(store: Store) -> None:
    assert store.turn("t9") is None
    assert store.session("s9") is None
    assert store.turns("bram") == []


def test_recording_again_is_one_row(store: Store, session: Session, turn: Turn) -> None:
    store.record_session(session).result()
    store.record_turn(turn).result()
    assert len(store.turns("mira")) == 1


def test_a_turn_id_never_changes_its_content(store: Store, turn: Turn) -> None:
    with pytest.raises(RecordConflictError, match="another reply_text"):
        store.record_turn(replace(turn, reply_text="Begone!")).result()
    assert store.turn("t1") == turn


def test_a_turn_needs_its_session(store: Store, turn: Turn) -> None:
    with pytest.raises(UnknownSessionError, match="'s9'"):
        store.record_turn(replace(turn, turn_id="t2", session_id="s9")).result()


@pytest.mark.parametrize("change", [{"player_id": "bob"}, {"character": "bram"}], ids=str)
def test_a_turn_agrees_with_its_session(store: Store, turn: Turn, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecordError, match="they must be equal"):
        store.record_turn(replace(turn, turn_id="t2", **change)).result()


@pytest.mark.parametrize(
    "change",
    [
        {"prompt_ids": (2**31,)},
        {"reply_text": "half a \ud83d"},
        {"total_ms": float("nan")},
        {"sampling": {"temperature": float("inf")}},
        {"created_at": "noon"},
        {"seed": 2**64},
        {"character": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_value_that_cannot_be_stored_is_refused(
    store: Store, turn: Turn, change: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRecordError):
        store.record_turn(replace(turn, turn_id="t2", **change)).result()
    assert store.turn("t2") is None


def test_a_time_without_a_zone_is_refused(store: Store, event: Event) -> None:
    naive = replace(event, created_at=event.created_at.replace(tzinfo=None))
    with pytest.raises(InvalidEventError, match="timezone"):
        store.submit(naive).result()


def test_the_same_event_gets_its_first_receipt(store: Store, event: Event) -> None:
    first = store.submit(event).result()
    again = store.submit(replace(event, created_at=event.created_at + timedelta(1))).result()
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.received_at == first.received_at
    assert store.events("mira") == [event]


def test_an_event_id_with_other_content_is_a_conflict(store: Store, event: Event) -> None:
    store.submit(event).result()
    with pytest.raises(EventConflictError, match="another payload"):
        store.submit(replace(event, payload=Thumb(True))).result()
    assert store.events("mira") == [event]


def test_an_event_needs_its_turn(store: Store, event: Event) -> None:
    with pytest.raises(UnknownTurnError, match="'t9'"):
        store.submit(replace(event, turn_id="t9")).result()


def test_only_the_player_of_the_turn_may_react(store: Store, event: Event) -> None:
    with pytest.raises(InvalidEventError, match="another player"):
        store.submit(replace(event, player_id="bob")).result()


def test_an_edit_has_text(store: Store, make_event: MakeEvent) -> None:
    with pytest.raises(InvalidEventError, match="no text"):
        store.submit(make_event(Edit(" \n"))).result()


@pytest.mark.parametrize("over", [(), ("t1",), ("other_prompt",)], ids=["none", "itself", "prompt"])
def test_a_choice_is_among_takes_on_one_prompt(
    store: Store, turn: Turn, make_event: MakeEvent, over: tuple[str, ...]
) -> None:
    store.record_turn(replace(turn, turn_id="other_prompt", prompt_ids=(5,))).result()
    with pytest.raises(InvalidEventError, match="turn"):
        store.submit(make_event(Choice(over))).result()


def test_a_choice_stays_in_its_session(
    store: Store, session: Session, turn: Turn, make_event: MakeEvent
) -> None:
    store.record_session(replace(session, session_id="s2")).result()
    store.record_turn(replace(turn, turn_id="t2", session_id="s2")).result()
    with pytest.raises(InvalidEventError, match="another prompt"):
        store.submit(make_event(Choice(("t2",)))).result()


def test_a_choice_over_an_unknown_turn_is_refused(store: Store, make_event: MakeEvent) -> None:
    with pytest.raises(UnknownTurnError, match="'t9'"):
        store.submit(make_event(Choice(("t9",)))).result()


def test_counts_are_of_one_character(
    store: Store, session: Session, turn: Turn, make_event: MakeEvent
) -> None:
    store.record_session(replace(session, session_id="s2", character="bram")).result()
    store.record_turn(replace(turn, turn_id="b1", session_id="s2", character="bram")).result()
    store.record_turn(replace(turn, turn_id="t2", take=1)).result()
    payloads = [Thumb(True), Thumb(False), Thumb(False), Edit("No."), Choice(("t2",))]
    for number, payload in enumerate(payloads):
        store.submit(make_event(payload, f"e{number}")).result()
    assert store.counts("mira") == Counts(2, 1, 1, 1, 2, 1, 1)
    assert store.counts("bram") == Counts(1, 1, 1, 0, 0, 0, 0)
    assert store.counts("nobody") == Counts(0, 0, 0, 0, 0, 0, 0)


def test_reopening_keeps_everything(store: Store, path: Path, turn: Turn, event: Event) -> None:
    store.submit(event).result()
    store.close()
    with Store.open(path) as reopened:
        assert reopened.turns("mira") == [turn]
        assert reopened.events("mira") == [event]
        assert reopened.submit(event).result().duplicate


def test_two_stores_share_one_file(store: Store, path: Path, make_event: MakeEvent) -> None:
    with Store.open(path) as second:
        futures = [
            each.submit(make_event(Thumb(True), f"{name}{number}"))
            for number in range(50)
            for name, each in (("a", store), ("b", second))
        ]
        assert not any(future.result().duplicate for future in futures)
        assert len(store.events("mira")) == len(second.events("mira")) == 100


def test_closing_writes_what_waits(store: Store, path: Path, make_event: MakeEvent) -> None:
    futures = [store.submit(make_event(Thumb(True), f"e{number}")) for number in range(2000)]
    store.close()
    assert all(future.done() for future in futures)
    with Store.open(path) as reopened:
        assert len(reopened.events("mira")) == 2000


def test_a_closed_store_says_so(store: Store, event: Event) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreClosedError):
        store.submit(event).result()
    with pytest.raises(StoreClosedError):
        store.turn("t1")


def test_a_write_outlives_the_caller_who_stops_waiting(store: Store, event: Event) -> None:
    future = store.submit(event)
    assert not future.cancel()
    assert not future.result().duplicate
