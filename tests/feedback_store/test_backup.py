"""Backups of a store in use, and putting them back: whole, checked, or not at all."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from feedback_store.backup import back_up, restore
from feedback_store.errors import BackupError, FeedbackStoreError
from feedback_store.migrations import STEPS, step_names
from feedback_store.records import Reaction, Session
from feedback_store.store import Store

MakeReaction = Callable[..., Reaction]

# Submits without pause, prints what was acknowledged, and goes on when it is refused.
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from feedback_store.errors import FeedbackStoreError
from feedback_store.records import Reaction, Thumb
from feedback_store.store import Store

store = Store.open(Path(sys.argv[1]), busy_timeout_s=30)
for number in range(10**9):
    event_id = f"w-{number}"
    try:
        store.submit(Reaction(event_id, Thumb(True), datetime.now(UTC), turn_id="t1")).result()
    except FeedbackStoreError as error:
        print("refused", type(error).__name__, flush=True)
    else:
        print("stored", event_id, flush=True)
"""

# Restores, and stops in the middle of a stage until it is killed.
RESTORER = """
import sys, time
from pathlib import Path
from feedback_store.backup import restore

def wait_half_way(what, done, total):
    if what == sys.argv[3]:
        print("half way", flush=True)
        time.sleep(60)

restore(Path(sys.argv[1]), Path(sys.argv[2]), wait_half_way)
"""


@pytest.fixture
def backup(store: Store, path: Path, tmp_path: Path, reaction: Reaction) -> Path:
    """A backup that knows one event, of a store that knows another one since."""
    store.submit(reaction).result()
    file = tmp_path / "backups" / "monday.db"
    file.parent.mkdir()
    back_up(path, file)
    store.submit(replace(reaction, event_id="since")).result()
    return file


def test_a_backup_is_one_sound_private_file(backup: Path) -> None:
    assert sorted(entry.name for entry in backup.parent.iterdir()) == ["monday.db"]
    assert backup.stat().st_mode & 0o777 == 0o600
    assert _events(backup) == ["e1"]


def test_a_backup_while_another_process_writes_is_one_moment(
    store: Store, path: Path, tmp_path: Path
) -> None:
    with _writing(path) as lines:
        first = [next(lines) for _ in range(20)]
        back_up(path, tmp_path / "copy.db")
        after = next(lines)
    stored = _events(tmp_path / "copy.db")
    assert {line.split()[1] for line in first} <= set(stored)
    assert stored == [f"w-{number}" for number in range(len(stored))]
    assert after.startswith("stored")


def test_a_backup_reports_progress_to_its_end(store: Store, path: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    back_up(path, tmp_path / "copy.db", on_progress=lambda *how_far: told.append(how_far))
    what, done, total = told[-1]
    assert (what, done) == ("copying", total)


def test_a_backup_replaces_nothing_unless_told(backup: Path, path: Path) -> None:
    with pytest.raises(BackupError, match=r"monday\.db exists"):
        back_up(path, backup)
    assert _events(backup) == ["e1"]
    back_up(path, backup, replace=True)
    assert _events(backup) == ["e1", "since"]


def test_no_store_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")


def test_a_backup_that_cannot_be_written_leaves_nothing(store: Store, path: Path) -> None:
    with pytest.raises(BackupError, match="choose another folder"):
        back_up(path, path / "no-folder" / "copy.db")


def test_a_damaged_store_gives_no_backup(store: Store, path: Path, tmp_path: Path) -> None:
    store.close()
    _overwrite_inside(path)
    with pytest.raises(BackupError, match="damaged"):
        back_up(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_restore_brings_back_that_moment_and_keeps_the_former(
    backup: Path, path: Path, store: Store
) -> None:
    before = restore(backup, path)
    assert [event.event_id for event in store.events("mira")] == ["e1"]
    assert before is not None
    assert before.name.startswith("feedback-before-restore-")
    assert _events(before) == ["e1", "since"]
    assert not list(path.parent.glob(".unfinished-*"))


def test_a_store_that_is_open_goes_on_writing_after_a_restore(
    backup: Path, path: Path, store: Store, reaction: Reaction
) -> None:
    restore(backup, path)
    assert not store.submit(replace(reaction, event_id="since")).result().duplicate
    assert store.submit(reaction).result().duplicate


def test_a_restore_under_a_writing_process_loses_no_acknowledged_event(
    backup: Path, path: Path, store: Store
) -> None:
    with _writing(path) as lines:
        acknowledged = [next(lines) for _ in range(20)]
        before = restore(backup, path)
        acknowledged += [next(lines) for _ in range(400)]
    assert before is not None
    assert all(line.startswith("stored") for line in acknowledged)
    # Each one is in the former content or in the present one, and none in both.
    former = [event for event in _events(before) if event.startswith("w-")]
    present = [event for event in _events(path) if event.startswith("w-")]
    assert [*former, *present] == [f"w-{number}" for number in range(len(former) + len(present))]
    assert {line.split()[1] for line in acknowledged} <= {*former, *present}


def test_a_reader_in_the_middle_keeps_its_moment(backup: Path, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (2,)
        restore(backup, path)
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (2,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)


@pytest.mark.parametrize("stage", ["reading", "copying", "replacing"])
def test_a_restore_killed_in_the_middle_changed_nothing(
    backup: Path, path: Path, store: Store, reaction: Reaction, stage: str
) -> None:
    command = [sys.executable, "-c", RESTORER, str(backup), str(path), stage]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half way\n"
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert _events(path) == ["e1", "since"]
    assert not store.submit(replace(reaction, event_id="more")).result().duplicate
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_a_killed_restore_left_is_removed_by_the_next(
    backup: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = path.parent / ".unfinished-killed"
    left.mkdir()
    (left / "copy.db").write_text("a player's words")
    monkeypatch.setattr("feedback_store.publishing._OWNED_AFTER_S", -1)
    restore(backup, path)
    assert not left.exists()


def test_who_was_forgotten_since_the_backup_stays_forgotten(
    backup: Path, path: Path, store: Store, session: Session
) -> None:
    store.forget("ann").result()
    restore(backup, path)
    assert store.turns("mira") == []
    assert isinstance(store.record_session(session).exception(), FeedbackStoreError)


def test_an_older_release_s_backup_is_brought_up_to_date(
    path: Path, store: Store, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    with closing(Database(old)) as db:
        STEPS.apply(db, stop_before=step_names()[2])
    untouched = old.read_bytes()
    restore(old, path)
    assert store.turns("mira") == []
    assert old.read_bytes() == untouched


def test_a_store_that_is_not_there_is_made(backup: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh" / "feedback.db"
    assert restore(backup, fresh) is None
    with Store.open(fresh) as store:
        assert [event.event_id for event in store.events("mira")] == ["e1"]


def _nothing(file: Path) -> None:
    file.unlink()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _text(file: Path) -> None:
    file.write_text("Dear diary, " * 500)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:6000])


def _overwrite_inside(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    file.write_bytes(content)


def _another_program_s(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")


def _newer(file: Path) -> None:
    with closing(Database(file)) as db:
        STEPS._record_applied(db, "m999_from_tomorrow")


def _hollow(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("ALTER TABLE turns RENAME COLUMN reply_text TO renamed")


def _booby_trapped(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TRIGGER trap AFTER INSERT ON turns BEGIN DELETE FROM turns; END")


@pytest.mark.parametrize(
    "spoil",
    [
        _nothing,
        _empty,
        _text,
        _cut,
        _overwrite_inside,
        _another_program_s,
        _newer,
        _hollow,
        _booby_trapped,
    ],
)
def test_a_file_that_is_no_sound_backup_is_refused_and_the_store_is_as_it_was(
    backup: Path, path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(backup)
    with pytest.raises(BackupError):
        restore(backup, path)
    assert _events(path) == ["e1", "since"]
    assert not list(path.parent.glob("feedback-before-*"))


def test_a_store_that_cannot_be_kept_is_not_replaced(
    backup: Path, path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise BackupError("no room")

    monkeypatch.setattr("feedback_store.backup.back_up", no_room)
    with pytest.raises(BackupError, match="no room"):
        restore(backup, path)
    assert _events(path) == ["e1", "since"]


def test_a_damaged_store_says_what_to_move_away(backup: Path, path: Path, store: Store) -> None:
    store.close()
    _overwrite_inside(path)
    damaged = path.read_bytes()
    with pytest.raises(BackupError, match=r"move feedback\.db, feedback\.db-wal"):
        restore(backup, path)
    assert path.read_bytes() == damaged
    shutil.move(path, path.with_suffix(".damaged"))
    restore(backup, path)
    assert _events(path) == ["e1"]


def test_a_store_locked_for_too_long_is_not_replaced(
    backup: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        monkeypatch.setattr("feedback_store.backup._LOCK_WAIT_S", 0.2)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackupError, match="locked"):
            restore(backup, path)
    assert _events(path) == ["e1", "since"]


@contextmanager
def _writing(path: Path) -> Iterator[Iterator[str]]:
    """Another process that writes; yields its lines."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield (line.strip() for line in iter(child.stdout.readline, ""))
        child.kill()


def _events(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as db:
        return [row[0] for row in db.execute("SELECT event_id FROM events ORDER BY rowid")]
