"""What is deleted is gone, with all that hangs on it, and nothing else is."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from feedback_store.errors import ForgottenError
from feedback_store.forgetting import _OLDEST, clear_remains
from feedback_store.records import (
    JSON,
    Checkpoint,
    Edit,
    Forgotten,
    LivedExchange,
    Outcome,
    Reaction,
    Session,
    Thumb,
    Turn,
)
from feedback_store.store import Store

MakeReaction = Callable[..., Reaction]
SECRET = "the crown lies under the third stone"


@pytest.fixture
def bob_too(store: Store, session: Session, turn: Turn, make_reaction: MakeReaction) -> Store:
    """Ann reacted and saved; bob has a turn with a thumb too."""
    store.submit(make_reaction(Edit(f"No, {SECRET}."))).result()
    store.submit(make_reaction(Outcome(True, "chapel"), "e2", turn_id="", session_id="s1")).result()
    store.record_checkpoint(
        Checkpoint("save-1", "s1", (LivedExchange(("t1",), "t1", SECRET),), turn.created_at)
    ).result()
    store.record_session(replace(session, session_id="s2", player_id="bob")).result()
    store.record_turn(
        replace(turn, turn_id="t2", session_id="s2", player_id="bob", first_turn_id="t2")
    ).result()
    store.submit(make_reaction(Thumb(True), "e3", turn_id="t2")).result()
    return store


def test_forgetting_deletes_all_of_one_player(bob_too: Store) -> None:
    assert bob_too.forget("ann").result() == Forgotten(1, 1, 2, 1)
    assert bob_too.session("s1") is None
    assert bob_too.checkpoint("save-1") is None
    assert [turn.turn_id for turn in bob_too.turns("mira")] == ["t2"]
    assert [event.event_id for event in bob_too.events("mira")] == ["e3"]


def test_forgetting_deletes_what_others_said_in_one_scene(bob_too: Store, turn: Turn) -> None:
    heard: dict[str, JSON] = {"speaker": {"character": "mira", "players": ["ann", "bob"]}}
    in_scene = replace(turn, turn_id="t3", session_id="s2", player_id="bob", first_turn_id="t3")
    bob_too.record_turn(replace(in_scene, annotations=heard)).result()
    assert bob_too.forget("ann").result() == Forgotten(1, 2, 2, 1)
    assert [turn.turn_id for turn in bob_too.turns("mira")] == ["t2"]


def test_forgetting_again_finds_nothing(bob_too: Store) -> None:
    bob_too.forget("ann").result()
    assert bob_too.forget("ann").result() == Forgotten(0, 0, 0, 0)


def test_a_forgotten_session_is_not_recorded_again(
    bob_too: Store, session: Session, turn: Turn
) -> None:
    bob_too.forget("ann").result()
    for again in (bob_too.record_session(session), bob_too.record_turn(turn)):
        assert isinstance(again.exception(), ForgottenError)


def test_forgotten_text_is_in_no_byte_of_the_files(bob_too: Store, path: Path) -> None:
    assert SECRET.encode() in _bytes(path)
    bob_too.forget("ann").result()
    assert clear_remains(path, timeout_s=1)
    assert SECRET.encode() not in _bytes(path)


def test_many_players_forgotten_one_by_one_leave_no_byte(
    store: Store, session: Session, turn: Turn, path: Path
) -> None:
    players = [f"player-{number:02}" for number in range(20)]
    for number in range(400):  # short and long rows of all players side by side on the pages
        player = players[number * 7 % 20]
        talk = replace(session, session_id=f"s-{number}", player_id=player)
        text = f"<{player}>" * (3 + number % 90)
        said = replace(
            turn, turn_id=f"t-{number}", session_id=f"s-{number}", player_id=player, reply_text=text
        )
        store.record_session(talk)
        store.record_turn(said).result()
    for player in players:
        store.forget(player).result()
        clear_remains(path, timeout_s=1)
        assert f"<{player}>".encode() not in _bytes(path)


def test_a_reader_keeps_the_log_and_the_answer_says_so(bob_too: Store, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM turns").fetchone()
        bob_too.forget("ann").result()
        assert not clear_remains(path, timeout_s=0.05)
    assert clear_remains(path, timeout_s=1)


def test_retention_deletes_the_oldest_turns_first_and_no_more_than_asked(
    store: Store, turn: Turn
) -> None:
    for day in (3, 1, 2):
        moment = turn.created_at + timedelta(days=day)
        store.record_turn(replace(turn, turn_id=f"d{day}", created_at=moment)).result()
    after = turn.created_at + timedelta(days=2, hours=1)
    assert store.count_older(after, consent=True) == 3
    assert store.delete_older(after, consent=True, limit=2).result() == 2
    assert [one.turn_id for one in store.turns("mira")] == ["d2", "d3"]
    assert store.delete_older(after, consent=True, limit=2).result() == 1
    assert store.delete_older(after, consent=True, limit=2).result() == 0


def test_retention_tells_consent_apart(store: Store, turn: Turn) -> None:
    late = turn.created_at + timedelta(days=1)
    assert store.delete_older(late, consent=False, limit=9).result() == 0
    assert store.turn("t1") is not None


def test_a_session_left_empty_goes_with_its_events_and_saves(bob_too: Store, turn: Turn) -> None:
    assert bob_too.delete_older(_after(turn), consent=True, limit=9).result() == 2
    assert bob_too.session("s1") is None
    assert bob_too.checkpoint("save-1") is None
    assert bob_too.events("mira") == []


def test_a_save_that_leads_to_a_deleted_turn_goes_though_its_session_stays(
    bob_too: Store, turn: Turn
) -> None:
    new = replace(turn, turn_id="new", created_at=_after(turn))
    bob_too.record_turn(new).result()
    later = Checkpoint("save-2", "s1", (LivedExchange(("new",), "new"),), _after(turn))
    bob_too.record_checkpoint(later).result()
    bob_too.delete_older(_after(turn), consent=True, limit=9).result()
    assert bob_too.session("s1") is not None
    assert bob_too.checkpoint("save-1") is None
    assert bob_too.checkpoint("save-2") == later


def test_retention_wants_a_timezone(store: Store) -> None:
    with pytest.raises(ValueError, match="no timezone"):
        store.delete_older(datetime(2026, 3, 1), consent=True, limit=1)


@pytest.mark.parametrize("consent", [True, False], ids=["consent", "no consent"])
def test_retention_finds_the_oldest_by_index(store: Store, path: Path, consent: bool) -> None:
    with closing(sqlite3.connect(path)) as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {_OLDEST}", [int(consent), "2027", 5]).fetchall()
    assert [row[3] for row in plan] == [
        "SEARCH turns USING INDEX turns_by_consent (consent=? AND created_at<?)"
    ]


def _after(turn: Turn) -> datetime:
    return turn.created_at + timedelta(minutes=1)


def _bytes(path: Path) -> bytes:
    log = path.with_name(f"{path.name}-wal")
    return path.read_bytes() + (log.read_bytes() if log.exists() else b"")
