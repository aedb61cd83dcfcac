"""The queue in front of the store: in order, bounded, and drained at the end."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback_store.errors import StoreUnavailableError
from feedback_store.records import Reaction, Session, Sign, Signal, Source, Turn
from feedback_store.store import Store
from npc_server import recorder
from npc_server.recorder import Recorder
from tests.support.turns import TURN

NOW = datetime.now(UTC)
SESSION = Session("s1", TURN.player_id, "mira", "aa11", consent=True, started_at=NOW)


def turn(name: str, session_id: str = "s1") -> Turn:
    """A turn with that id."""
    return replace(TURN, turn_id=name, first_turn_id=name, session_id=session_id)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that waits for locks only shortly, before a recorder that tries again soon."""
    monkeypatch.setattr(recorder, "COMMIT_WAIT_S", 0.02)
    monkeypatch.setattr(recorder, "FIRST_RETRY_S", 0.01)
    with Store.open(tmp_path / "feedback.db", busy_timeout_s=0.01) as opened:
        yield opened


@asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[None]:
    """Another program holds the store's write lock."""
    with contextlib.closing(sqlite3.connect(folder / "feedback.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def test_what_waited_is_stored_in_order(store: Store, tmp_path: Path) -> None:
    made = Recorder(store)
    async with made.at_work(grace_s=5):
        async with locked(tmp_path):
            await made.record_session(SESSION)
            await made.record_turn(TURN, SESSION)
            made.note(Reaction("derived:x", Signal(Sign.SILENT), NOW, "t1", source=Source.DERIVED))
            assert (made.waiting, made.holds("s1"), made.holds("t1")) == (3, True, True)
        await made.flush(timeout_s=5)
    assert (made.waiting, made.dropped, made.holds("t1")) == (0, 0, False)
    assert [event.event_id for event in store.events("mira")] == ["derived:x"]


async def test_beyond_its_bounds_the_oldest_are_dropped_and_counted(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MAX_WAITING", 3)
    made = Recorder(store)
    async with made.at_work(grace_s=5):
        async with locked(tmp_path):
            for name in ("t1", "t2", "t3", "t4"):
                made.record_cut_turn(turn(name), SESSION)
        await made.flush(timeout_s=5)
    assert [kept.turn_id for kept in store.turns("mira")] == ["t2", "t3", "t4"]
    assert made.dropped == 1


async def test_bytes_are_bounded_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_WAITING_BYTES", 50_000)
    made = Recorder(store)
    for name in ("t1", "t2"):
        made.record_cut_turn(replace(turn(name), prompt_ids=tuple(range(1000))), SESSION)
    assert (made.waiting, made.dropped, made.holds("t1")) == (1, 1, False)


async def test_a_record_that_can_never_be_stored_holds_nobody_up(store: Store) -> None:
    made = Recorder(store)
    async with made.at_work(grace_s=5):
        await made.record_turn(replace(TURN, logprob=float("inf"), seed=2**70), SESSION)
        await made.record_turn(turn("t2"), SESSION)
    assert [kept.turn_id for kept in store.turns("mira")] == ["t2"]
    assert made.dropped == 1


async def test_what_waits_at_the_end_gets_the_grace_period(store: Store) -> None:
    made = Recorder(store)
    async with made.at_work(grace_s=5):
        made.record_cut_turn(TURN, SESSION)
    assert made.waiting == 0
    assert len(store.turns("mira")) == 1


async def test_a_store_that_stays_locked_does_not_hold_up_the_end(
    store: Store, tmp_path: Path
) -> None:
    made = Recorder(store)
    async with locked(tmp_path), made.at_work(grace_s=0.1):
        made.record_cut_turn(TURN, SESSION)
        with pytest.raises(StoreUnavailableError, match=r"records wait .* \(1\)"):
            await made.flush(timeout_s=0.05)
    assert made.waiting == 1
