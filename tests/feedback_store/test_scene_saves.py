"""Save games of scenes in the store: kept, gone back to, and freed of a player."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from feedback_store.errors import ForgottenError, RecordConflictError, UnknownCheckpointError
from feedback_store.records import JSON, LivedExchange, Session, Turn
from feedback_store.scene_records import (
    SavedExchange,
    SavedLine,
    SavedMember,
    SavedPlayer,
    SceneSave,
    without_player,
)
from feedback_store.store import Store
from tests.support.turns import NOON

ANNA, BELA = SavedPlayer("ann", "Anna", True), SavedPlayer("bob", "Bela", True)


def exchange(turn_id: str, *words_of: str) -> SavedExchange:
    return SavedExchange(LivedExchange((turn_id,), turn_id), "Hello.", ("Aye.",), words_of)


SAVE = SceneSave(
    token="save-1",
    scene_id="scene-1",
    created_at=NOON,
    place="at the forge",
    players=(ANNA, BELA),
    members=(
        SavedMember(
            "mira",
            True,
            4,
            (exchange("t1", "ann"), exchange("t2", "ann", "bob")),
            {"ann": "s1", "bob": "s2"},
            {"values": {"weather": "foggy"}, "notes": []},
            {"a1b2": 3.5},
        ),
        SavedMember("fenn", False, 1, (exchange("t3", "bob"),), {"bob": "s3"}),
    ),
    lines=(
        SavedLine("", "ann", "Anna", "I am Anna.", ("mira",), call_id="line 1"),
        SavedLine("mira", "ann", "Mira", "", ("mira",), "t1", "line 1", "s1", ({"because": "x"},)),
        SavedLine("fenn", "bob", "Fenn", "", ("mira", "fenn"), "t3", session_id="s3"),
    ),
    ever=("ann", "bob"),
    world={"weather": "foggy"},
    consent=True,
    credited="ann",
    calls={"line 1": "answered"},
)


@pytest.fixture
def scene_turn(store: Store, session: Session, turn: Turn) -> Turn:
    """Turn t2 of bob in scene scene-1, whose character had heard session s1 of ann."""
    about: dict[str, JSON] = {"speaker": {"character": "mira", "heard": ["s1", "s2"]}}
    of_bob = replace(session, session_id="s2", player_id="bob", scene_id="scene-1")
    store.record_session(of_bob).result()
    return replace(
        turn, turn_id="t2", session_id="s2", player_id="bob", first_turn_id="t2", annotations=about
    )


def test_a_save_is_read_as_it_was_recorded(store: Store) -> None:
    for _ in range(2):
        store.record_scene_save(SAVE).result()
    assert store.scene_save("save-1") == SAVE
    other = store.record_scene_save(replace(SAVE, place="elsewhere"))
    assert isinstance(other.exception(), RecordConflictError)


def test_of_a_player_who_is_taken_out_no_word_stays() -> None:
    left = without_player(SAVE, "ann")
    assert (left.players, left.ever, left.credited) == ((BELA,), ("bob",), "")
    assert [line.name for line in left.lines] == ["", "", "Fenn"]
    assert [len(member.exchanges) for member in left.members] == [0, 1]
    assert left.members[0].sessions == {"bob": "s2"}


def test_forgetting_takes_a_player_out_of_saves(store: Store) -> None:
    store.record_scene_save(SAVE).result()
    assert store.forget("ann").result().checkpoints == 0
    assert store.scene_save("save-1") == without_player(SAVE, "ann")
    assert store.forget("bob").result().checkpoints == 1
    assert store.scene_save("save-1") is None


def test_forgetting_deletes_turns_whose_character_had_heard_the_player(
    store: Store, scene_turn: Turn
) -> None:
    unheard: dict[str, JSON] = {"speaker": {"character": "mira", "heard": ["s2"]}}
    store.record_turn(scene_turn).result()
    other = replace(scene_turn, turn_id="t3", first_turn_id="t3", annotations=unheard)
    store.record_turn(other).result()
    store.forget("ann").result()
    assert [turn.turn_id for turn in store.turns("mira")] == ["t3"]


def test_words_of_a_forgotten_player_are_not_recorded_later(store: Store, scene_turn: Turn) -> None:
    store.forget("ann").result()
    assert isinstance(store.record_turn(scene_turn).exception(), ForgottenError)
    assert isinstance(store.record_scene_save(SAVE).exception(), ForgottenError)
    assert store.forgotten_among(["s1", "s2"]) == ["s1"]


def test_going_back_marks_the_turns_of_the_scene_alone(store: Store, scene_turn: Turn) -> None:
    later = replace(scene_turn, turn_id="t9", first_turn_id="t9")
    for turn in (scene_turn, later):
        store.record_turn(turn).result()
    store.record_scene_save(SAVE).result()
    store.roll_back_scene("save-1").result()
    marks = {turn.turn_id: turn.rolled_back for turn in store.turns("mira")}
    assert marks == {"t1": False, "t2": False, "t9": True}
    assert isinstance(store.roll_back_scene("nope").exception(), UnknownCheckpointError)


def test_a_save_that_nobody_had_answered_in_gets_old_by_itself(store: Store) -> None:
    silent = tuple(replace(member, exchanges=()) for member in SAVE.members)
    early = replace(SAVE, members=silent, lines=SAVE.lines[:1])
    refusing = replace(early, token="save-2", consent=False)
    late = replace(early, token="save-3", created_at=NOON + timedelta(days=2))
    for save in (early, refusing, late):
        store.record_scene_save(save).result()
    store.delete_older(NOON + timedelta(days=1), consent=True, limit=10).result()
    kept = [store.scene_save(token) for token in ("save-1", "save-2", "save-3")]
    assert kept == [None, refusing, late]


def test_what_saves_repeat_of_a_player_is_theirs_to_have(store: Store) -> None:
    store.record_scene_save(SAVE).result()
    (kept,) = store.scene_words("ann")
    said = {"text": "I am Anna.", "heard_by": ["mira"]}
    assert (kept["scene_id"], kept["name"], kept["lines"]) == ("scene-1", "Anna", [said])
    assert not any(other in str(kept) for other in ("save-1", "Bela"))
    assert list(store.scene_words("ann", "fenn")) == []
    assert list(store.scene_words("nobody")) == []


def test_a_save_goes_with_the_turns_that_it_leads_back_to(store: Store) -> None:
    store.record_scene_save(SAVE).result()
    store.delete_older(NOON + timedelta(days=1), consent=True, limit=10).result()
    assert store.scene_save("save-1") is None
