"""A store's file: made from blank, brought up to date, or refused untouched."""

import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from feedback_store.database import connect
from feedback_store.errors import StoreCorruptError, StoreTooNewError, StoreUnavailableError
from feedback_store.migrations import STEPS, step_names
from feedback_store.records import Reach, Reaction, Source, Thumb
from feedback_store.store import Store
from tests.support.turns import NOON


def test_steps_are_numbered_without_gap_and_say_why() -> None:
    numbers = [int(re.fullmatch(r"m(\d{3})_\w+", name).group(1)) for name in step_names()]  # type: ignore[union-attr]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(step.fn.__doc__ for step in STEPS.pending(Database(memory=True)))


def test_a_blank_file_gets_all_tables(path: Path) -> None:
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")}
        indexes = {
            row[0]
            for row in db.execute("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX%'")
        }
    assert {"sessions", "turns", "events", "checkpoints", "refusals"} <= tables
    assert {"turns_by_character", "events_by_turn"} <= indexes


def test_opening_twice_changes_nothing(path: Path) -> None:
    Store.open(path).close()
    before = _dump(path)
    Store.open(path).close()
    assert _dump(path) == before


def test_the_first_step_alone_is_brought_up_to_date(path: Path) -> None:
    with closing(Database(path)) as db:
        STEPS.apply(db, stop_before=step_names()[1])
    with Store.open(path) as store:
        assert store.events("mira") == []


def test_what_an_old_file_holds_is_kept(path: Path) -> None:
    with closing(Database(path)) as db:
        STEPS.apply(db, stop_before="m003_consent_and_rolled_back_turns")
        _fill_first_tables(db)
    with Store.open(path) as store:
        (turn,), (event,) = store.turns("mira"), store.events("mira")
    assert (turn.turn_id, turn.consent, turn.rolled_back) == ("t1", False, False)
    assert (event.session_id, event.source, event.undone) == ("s1", Source.EXPLICIT, False)
    assert (event.turn_id, event.payload) == ("t1", Thumb(True))


def test_what_an_old_file_holds_is_of_the_default_game(path: Path) -> None:
    with closing(Database(path)) as db:
        STEPS.apply(db, stop_before="m003_consent_and_rolled_back_turns")
        _fill_first_tables(db)
    with Store.open(path) as store:
        rows = (store.session("s1"), *store.turns("mira"), *store.events("mira"))
        assert [row and row.game for row in rows] == ["default"] * 3
        assert store.submit(
            Reaction("e2", Thumb(True), NOON, "t1", reach=Reach("default"))
        ).result()


def test_an_old_event_counts_from_its_arrival(path: Path) -> None:
    with closing(Database(path)) as db:
        STEPS.apply(db, stop_before="m003_consent_and_rolled_back_turns")
        _fill_first_tables(db)
    with Store.open(path) as store:
        (event,) = store.events("mira")
    assert event.occurred_at is None
    assert event.order[0] == event.created_at


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    with Store.open(tmp_path / "new" / "feedback.db") as store:
        assert store.turns("mira") == []


def test_many_may_open_a_blank_file_at_once(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: Store.open(path), range(8)))
    for store in stores:
        store.close()


def test_commits_are_flushed_and_references_checked(path: Path) -> None:
    Store.open(path).close()
    with closing(connect(path, busy_timeout_s=1)) as db:
        assert db.journal_mode == "wal"
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)


def _not_a_database(path: Path) -> None:
    path.write_text("Dear diary, " * 500)


def _truncated(path: Path) -> None:
    Store.open(path).close()
    path.write_bytes(path.read_bytes()[:6000])


def _overwritten_inside(path: Path) -> None:
    Store.open(path).close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)


def _another_program_s(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")


@pytest.mark.parametrize(
    "spoil", [_not_a_database, _truncated, _overwritten_inside, _another_program_s]
)
def test_a_file_that_is_no_sound_store_stops_open_untouched(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreCorruptError, match=r"Nothing was changed\. (Move|Configure)"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_newer_release_s_file_stops_open(path: Path) -> None:
    Store.open(path).close()
    with closing(Database(path)) as db:
        STEPS._record_applied(db, "m999_from_tomorrow")
    with pytest.raises(StoreTooNewError, match="m999_from_tomorrow"):
        Store.open(path)


def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="unable to open"):
        Store.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="no folder"):
        Store.open(tmp_path / "file" / "feedback.db")


def _fill_first_tables(db: Database) -> None:
    """A session, a turn and a thumb, as the first release wrote them."""
    now = "2026-03-01T12:00:00.000000+00:00"
    db.execute("INSERT INTO sessions VALUES ('s1', 'ann', 'mira', 'aa11', ?)", [now])
    turn = {column.name: "" for column in db["turns"].columns} | {
        "turn_id": "t1", "session_id": "s1", "character": "mira", "player_id": "ann",
        "messages": "[]", "sampling": "{}", "prompt_ids": b"", "reply_ids": b"",
        "take": 0, "seed": 0, "logprob": None, "created_at": now,
        **dict.fromkeys(("arm_probability", "queue_ms", "ttft_ms", "total_ms"), 1.0),
    }  # fmt: skip
    marks = ", ".join("?" * len(turn))
    db.execute(f"INSERT INTO turns VALUES ({marks})", list(turn.values()))
    thumb = ["e1", "t1", "ann", "thumb", '{"reasons":[],"up":true}', now, now]
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", thumb)


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())
