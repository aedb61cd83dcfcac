"""What an acknowledgement is worth: crashes, locks, full disks, bad neighbours."""

import random
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
from feedback_store.errors import (
    InvalidRecordError,
    StoreFullError,
    StoreUnavailableError,
    UnknownTurnError,
)
from feedback_store.records import Edit, Reaction, Thumb
from feedback_store.store import Store
from feedback_store.writer import Writer

MakeReaction = Callable[..., Reaction]

WHOLE = "INSERT INTO notes VALUES ('whole')"

# Submits alone and in groups without pause and prints each id once it is acknowledged, until it is
# killed.
CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from feedback_store.records import Edit, Reaction, Thumb
from feedback_store.store import Store

store = Store.open(Path(sys.argv[1]))
waiting = []
for number in range(10**9):
    group = [
        Reaction(f"{sys.argv[2]}-{number}-{part}", Thumb(True), datetime.now(UTC), turn_id="t1")
        for part in range(1 + number % 3)
    ]
    waiting.append((group, store.submit_all(group)))
    if len(waiting) == 20:
        group, future = waiting.pop(0)
        future.result()
        print(*(reaction.event_id for reaction in group), sep="\\n", flush=True)
"""


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(6, id="a few rounds"),
        pytest.param(
            200,
            marks=[pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(1200)],
            id="200 rounds",
        ),
    ],
)
def test_acknowledged_events_survive_kill_9_again_and_again(
    store: Store, path: Path, rounds: int
) -> None:
    store.close()
    chance = random.Random(rounds)
    acknowledged = [
        event_id
        for life in range(rounds)
        for event_id in _acknowledged_until_killed(path, chance.randrange(1, 400), f"life{life}")
    ]
    with Store.open(path) as reopened:  # which looks for damage
        stored = [event.event_id for event in reopened.events("mira")]
    assert len(acknowledged) >= rounds
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


def test_an_answer_means_committed(store: Store, path: Path, reaction: Reaction) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        seen_by_other: list[int] = []
        count = "SELECT count(*) FROM events"
        future = store.submit(reaction)
        future.add_done_callback(lambda _: seen_by_other.extend(other.execute(count).fetchone()))
        store.close()
        assert seen_by_other == [1]


def test_a_bad_write_does_not_fail_its_group(
    store: Store, path: Path, make_reaction: MakeReaction
) -> None:
    with _locked(path):  # all five wait, so that they are written together
        futures = [
            store.submit(make_reaction(Thumb(True), f"e{number}", turn_id=turn_id))
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
    store: Store, path: Path, reaction: Reaction
) -> None:
    with Store.open(path, busy_timeout_s=0.02) as impatient:
        with _locked(path), pytest.raises(StoreUnavailableError, match="locked"):
            impatient.submit(reaction).result()
        assert not impatient.submit(reaction).result().duplicate


def test_reads_go_on_while_another_writes(store: Store, path: Path) -> None:
    with _locked(path):
        assert store.turn("t1") is not None


def test_a_file_that_cannot_grow_is_unavailable_then_recovers(
    store: Store, reaction: Reaction
) -> None:
    with _no_file_may_grow(), pytest.raises(StoreUnavailableError, match="Send it again"):
        store.submit(reaction).result()
    assert not store.submit(reaction).result().duplicate


def test_a_full_disk_says_so_then_recovers(store: Store, make_reaction: MakeReaction) -> None:
    edit = make_reaction(Edit("No, dear. " * 10_000))
    with _full(store), pytest.raises(StoreFullError, match="Make room"):
        store.submit(edit).result()
    assert not store.submit(edit).result().duplicate


def test_too_many_waiting_writes_are_refused(
    store: Store, path: Path, make_reaction: MakeReaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback_store.writer.MAX_WAITING", 3)
    with _locked(path):
        futures = [store.submit(make_reaction(Thumb(True), f"e{number}")) for number in range(9)]
        with pytest.raises(StoreUnavailableError, match="3 records wait"):
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


@contextmanager
def _full(store: Store) -> Iterator[None]:
    """SQLite may take no further page, as on a disk without room."""

    def pages(most: int) -> None:
        store._writer.enqueue(lambda db: db.execute(f"PRAGMA max_page_count = {most}")).result()

    pages(1)
    try:
        yield
    finally:
        pages(2**31)
