"""What characters remember, on disk: kept, undone by save games, deleted with its turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from feedback_store.errors import ForgottenError, RecordConflictError, UnknownTurnError
from feedback_store.memory_records import Finder, Memories, Span, Statement, Summary
from feedback_store.records import Checkpoint, LivedExchange, Session, Turn
from feedback_store.store import Store
from tests.support.turns import NOON

NAME = Statement(
    statement_id="f1",
    session_id="s1",
    turn_id="t1",
    player_id="ann",
    character="mira",
    spoken_to="mira",
    topic="name",
    value="Ada",
    text="My name is Ada.",
    weight=3,
    finder=Finder.RULE,
    span=Span.PLAYER,
    told_at=NOON,
)
BREAD = Summary("m1", "s1", "ann", "mira", ("t1",), "Ada bought bread.", Span.PLAYER, NOON)
Later = Callable[..., Turn]


@pytest.fixture
def later(store: Store, session: Session, turn: Turn) -> Later:
    """Records a turn some minutes after the first, in a session that may be a new one."""

    def record(turn_id: str, minutes: int, session_id: str = "s1") -> Turn:
        moment = NOON + timedelta(minutes=minutes)
        if store.session(session_id) is None:
            began = replace(session, session_id=session_id, started_at=moment, memory=Span.PLAYER)
            store.record_session(began).result()
        made = replace(
            turn,
            turn_id=turn_id,
            first_turn_id=turn_id,
            session_id=session_id,
            created_at=moment,
        )
        store.record_turn(made).result()
        return made

    return record


def tell(store: Store, turn: Turn, statement_id: str, text: str) -> Statement:
    """Record a statement that was told in a turn."""
    said = replace(
        NAME,
        statement_id=statement_id,
        session_id=turn.session_id,
        turn_id=turn.turn_id,
        text=text,
        told_at=turn.created_at,
    )
    store.record_statement(said).result()
    return said


def save(store: Store, session_id: str, *turns: Turn, token: str) -> str:
    """Record a save game at the last of these turns."""
    lived = tuple(LivedExchange((turn.turn_id,), turn.turn_id) for turn in turns)
    moment = turns[-1].created_at + timedelta(seconds=1)
    store.record_checkpoint(Checkpoint(token, session_id, lived, moment)).result()
    return token


def texts(store: Store, session_id: str = "new") -> list[str]:
    """What mira remembers of ann in a session."""
    return [one.text for one in store.memories("mira", "ann", session_id, across=True).statements]


def test_what_was_recorded_is_remembered_from_session_to_session(store: Store) -> None:
    store.record_statement(NAME).result()
    store.record_summary(BREAD).result()
    assert store.memories("mira", "ann") == Memories((NAME,), (BREAD,))
    assert not store.memories("fenn", "ann")
    assert not store.memories("mira", "bob")


def test_what_is_for_a_session_is_remembered_in_it_alone(store: Store) -> None:
    store.record_statement(replace(NAME, span=Span.SESSION)).result()
    store.record_summary(replace(BREAD, span=Span.SESSION)).result()
    assert store.memories("mira", "ann", "s1", across=True)
    assert not store.memories("mira", "ann", "s2", across=True)


def test_a_session_that_remembers_nothing_from_others_reads_its_own_alone(store: Store) -> None:
    store.record_statement(NAME).result()
    assert store.memories("mira", "ann", "s1")
    assert not store.memories("mira", "ann", "s2")


def test_the_same_statement_twice_is_one_and_an_edit_of_it_stays(store: Store) -> None:
    store.record_statement(NAME).result()
    assert store.edit_statement("f1", "The player goes by Ada.").result()
    store.record_statement(NAME).result()
    (said,) = store.memories("mira", "ann").statements
    assert (said.text, said.finder) == ("The player goes by Ada.", Finder.OPERATOR)


def test_what_is_not_there_cannot_be_edited_or_deleted(store: Store) -> None:
    assert not store.edit_statement("f1", "Nobody.").result()
    assert store.delete_memories(["f1", "m1"]).result() == 0


def test_memories_are_deleted_by_their_ids(store: Store) -> None:
    store.record_statement(NAME).result()
    store.record_summary(BREAD).result()
    assert store.delete_memories(["f1", "m1"]).result() == 2
    assert not store.memories("mira", "ann", undone=True)


def test_nothing_is_remembered_of_a_turn_that_is_not_recorded(store: Store) -> None:
    with pytest.raises(UnknownTurnError):
        store.record_statement(replace(NAME, turn_id="t9")).result()
    with pytest.raises(UnknownTurnError):
        store.record_summary(replace(BREAD, turn_ids=("t1", "t9"))).result()


def test_another_summary_under_the_same_id_is_a_conflict(store: Store) -> None:
    store.record_summary(BREAD).result()
    with pytest.raises(RecordConflictError):
        store.record_summary(replace(BREAD, text="Ada sold bread.")).result()


def test_a_forgotten_player_is_remembered_by_nobody(store: Store) -> None:
    store.record_statement(NAME).result()
    store.record_statement(replace(NAME, statement_id="f2", character="fenn")).result()
    store.record_summary(BREAD).result()
    assert store.forget("ann").result().memories == 3
    assert not store.memories("fenn", "ann", undone=True)
    with pytest.raises(ForgottenError):
        store.record_statement(NAME).result()


def test_what_comes_from_expired_turns_expires_with_them(store: Store, later: Later) -> None:
    kept = tell(store, later("t2", 10), "f2", "I live in Kell.")
    store.record_statement(NAME).result()
    store.record_summary(replace(BREAD, turn_ids=("t1", "t2"))).result()
    store.delete_older(NOON + timedelta(minutes=5), True, 10).result()
    assert store.memories("mira", "ann", undone=True) == Memories((kept,))


def test_a_save_game_takes_back_what_was_told_since(store: Store, turn: Turn, later: Later) -> None:
    store.record_statement(NAME).result()
    token = save(store, "s1", turn, token="early")
    newer = later("t2", 1)
    tell(store, newer, "f2", "My name is Bo.")
    store.record_summary(replace(BREAD, turn_ids=("t1", "t2"))).result()
    store.roll_back(token).result()
    assert texts(store) == ["My name is Ada."]
    assert not store.memories("mira", "ann").summaries


def test_a_save_game_takes_back_sessions_that_began_later(
    store: Store, turn: Turn, later: Later
) -> None:
    store.record_statement(NAME).result()
    token = save(store, "s1", turn, token="early")
    tell(store, later("u1", 5, "s2"), "f2", "My name is Bo.")
    store.roll_back(token).result()
    assert texts(store, "s3") == ["My name is Ada."]


def test_a_later_save_game_brings_back_what_an_earlier_one_took(
    store: Store, turn: Turn, later: Later
) -> None:
    early = save(store, "s1", turn, token="early")
    other = later("u1", 5, "s2")
    tell(store, other, "f2", "My name is Bo.")
    late = save(store, "s2", other, token="late")
    store.roll_back(early).result()
    assert texts(store) == []
    store.roll_back(late).result()
    assert texts(store) == ["My name is Bo."]


def test_what_happened_in_another_branch_is_not_remembered_in_this_one(
    store: Store, turn: Turn, later: Later
) -> None:
    early = save(store, "s1", turn, token="early")
    tell(store, later("u1", 5, "s2"), "f2", "My name is Bo.")
    store.roll_back(early).result()
    branch = later("v1", 9, "s3")
    tell(store, branch, "f3", "My name is Cy.")
    late = save(store, "s3", branch, token="late")
    store.roll_back(early).result()
    store.roll_back(late).result()
    assert texts(store) == ["My name is Cy."]


def test_all_that_is_kept_of_a_player_holds_what_is_remembered(store: Store) -> None:
    store.record_statement(NAME).result()
    store.record_summary(BREAD).result()
    (session,) = store.person("ann")
    assert [one["text"] for one in session["statements"]] == ["My name is Ada."]
    assert [one["turn_ids"] for one in session["summaries"]] == [["t1"]]
    assert session["memory"] == "session"
