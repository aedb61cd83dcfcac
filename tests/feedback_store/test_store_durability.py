"""What an acknowledgement is worth: crashes, locks, full disks, bad neighbours."""

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlite_utils import Database

from feedback_store.database import connect
from feedback_store.errors import InvalidRecordError, StoreUnavailableError, UnknownTurnError
from feedback_store.records import Event, Thumb
from feedback_store.store import Store
from feedback_store.writer import Writer

MakeEvent = Callable[..., Event]

WHOLE = "INSERT INTO notes VALUES ('whole')"

# Submits without pause and prints an id once it is acknowledged, until it is killed.
CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from feedback_store.records import Event, Thumb
from feedback_store.store import Store

store = Store.open(Path(sys.argv[1]))
waiting = []
for number in range(10**9):
    event = Event(f"{sys.argv[2]}-{number}", "t1", "ann", Thumb(True), datetime.now(UTC))
    waiting.append((event.event_id, store.submit(event)))
    if len(waiting) == 20:
        event_id, future = waiting.pop(0)
        future.result()
        print(event_id, flush=True)
"""


def test_acknowledged_events_survive_kill_9_again_and_again(store: Store, path: Path) -> None:
    acknowledged = [
        event_id
        for life, enough in enumerate([1, 40, 300])
        for event_id in _acknowledged_until_killed(path, enough, name=f"life{life}")
    ]
    with Store.open(path) as reopened:
        stored = [event.event_id for event in reopened.events("mira")]
    assert len(acknowledged) >= 341
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))


def _acknowledged_until_killed(path: Path, enough: int, name: str) -> list[str]:
    command = [sys.executable, "-c", CHILD, str(path), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        seen = [child.stdout.readline() for _ in range(enough)]
        child.kill()
        seen += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    return [line.strip() for line in seen if line.endswith("\n")]


def test_an_answer_means_committed(store: Store, path: Path, event: Event) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        seen_by_other: list[int] = []
        count = "SELECT count(*) FROM events"
        future = store.submit(event)
        future.add_done_callback(lambda _: seen_by_other.extend(other.execute(count).fetchone()))
        store.close()
        assert seen_by_other == [1]


def test_a_bad_write_does_not_fail_its_group(
    store: Store, path: Path, make_event: MakeEvent
) -> None:
    with _locked(path):  # all five wait, so that they are written together
        futures = [
            store.submit(make_event(Thumb(True), f"e{number}", turn_id=turn_id))
            for number, turn_id in enumerate(["t1", "t1", "unknown", "t1", "t1"])
        ]
    assert [type(future.exception()) for future in futures].count(UnknownTurnError) == 1
    assert [event.event_id for event in store.events("mira")] == ["e0", "e1", "e3", "e4"]


def test_a_write_that_fails_half_way_leaves_nothing(path: Path) -> None:
    def half(db: Database) -> None:
        db.execute("INSERT INTO notes VALUES ('half')")
        raise ValueError("no other half")

    db = connect(path, busy_timeout_s=1)
    db.execute("CREATE TABLE notes (text)")
    writer = Writer(db, path)
    with _locked(path):
        failed = writer.enqueue(half)
        writer.enqueue(lambda db: db.execute(WHOLE))
    writer.close()
    assert isinstance(failed.exception(), InvalidRecordError)
    assert [row["text"] for row in Database(path).query("SELECT text FROM notes")] == ["whole"]


def test_a_locked_database_is_unavailable_then_recovers(
    store: Store, path: Path, event: Event
) -> None:
    with Store.open(path, busy_timeout_s=0.02) as impatient:
        with _locked(path), pytest.raises(StoreUnavailableError, match="locked"):
            impatient.submit(event).result()
        assert not impatient.submit(event).result().duplicate


def test_reads_go_on_while_another_writes(store: Store, path: Path) -> None:
    with _locked(path):
        assert store.turn("t1") is not None


def test_a_full_disk_is_unavailable_then_recovers(store: Store, event: Event) -> None:
    with _no_file_may_grow(), pytest.raises(StoreUnavailableError, match="Send it again"):
        store.submit(event).result()
    assert not store.submit(event).result().duplicate


def test_too_many_waiting_writes_are_refused(
    store: Store, path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback_store.writer.MAX_WAITING", 3)
    with _locked(path):
        futures = [store.submit(make_event(Thumb(True), f"e{number}")) for number in range(9)]
        with pytest.raises(StoreUnavailableError, match="3 writes wait"):
            futures[-1].result(timeout=1)
    assert not futures[0].result().duplicate


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _no_file_may_grow() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
