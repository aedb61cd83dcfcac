"""What senders may write about: their own game's, or one player's of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_store.errors import EventConflictError, UnknownEventError, UnknownTurnError
from feedback_store.records import Choice, Outcome, Reach, Reaction, Session, Thumb, Turn
from feedback_store.store import Store

OWN = Reach("salt", "ann")
OTHERS = [Reach("salt", "bob"), Reach("sugar", "ann"), Reach("sugar")]
MakeReaction = Callable[..., Reaction]


@pytest.fixture
def store(path: Path, session: Session, turn: Turn) -> Iterator[Store]:
    """Session s1 and turns t1 to t9 of player ann of the game salt."""
    with Store.open(path) as opened:
        opened.record_session(replace(session, game="salt")).result()
        for number in range(1, 10):
            told = replace(turn, turn_id=f"t{number}", game="salt")
            opened.record_turn(told).result()
        yield opened


@pytest.mark.parametrize("reach", [None, Reach("salt"), OWN])
def test_who_reaches_a_turn_reacts_to_it(
    store: Store, make_reaction: MakeReaction, reach: Reach | None
) -> None:
    store.submit(make_reaction(Thumb(True), reach=reach)).result()
    (event,) = store.events("mira")
    assert (event.game, event.player_id) == ("salt", "ann")


@pytest.mark.parametrize("reach", OTHERS)
@pytest.mark.parametrize("number", [1, 9], ids=["alone", "among many"])
def test_another_s_turn_is_unknown(
    store: Store, make_reaction: MakeReaction, reach: Reach, number: int
) -> None:
    thumbs = [
        make_reaction(Thumb(True), f"e{i}", turn_id=f"t{i}", reach=reach)
        for i in range(1, number + 1)
    ]
    results = store.submit_all(thumbs).result()
    assert [type(one) for one in results] == [UnknownTurnError] * number
    assert store.events("mira") == []


@pytest.mark.parametrize("reach", OTHERS)
def test_another_s_session_is_as_unknown_as_none(
    store: Store, make_reaction: MakeReaction, reach: Reach
) -> None:
    told = make_reaction(Outcome(True, "mill"), turn_id="", session_id="s1", reach=reach)
    refusals = [store.submit(replace(told, session_id=name)).exception() for name in ("s1", "s9")]
    assert str(refusals[0]).replace("s1", "s9") == str(refusals[1])


def test_a_choice_over_another_s_turn_is_over_an_unknown_one(
    store: Store, make_reaction: MakeReaction, session: Session, turn: Turn
) -> None:
    store.record_session(replace(session, session_id="s2", player_id="bob", game="salt")).result()
    mine = replace(turn, turn_id="b1", session_id="s2", player_id="bob", game="salt")
    store.record_turn(mine).result()
    chosen = make_reaction(Choice(("t1",)), turn_id="b1", reach=Reach("salt", "bob"))
    with pytest.raises(UnknownTurnError):
        store.submit(chosen).result()


def test_another_s_event_id_tells_nothing_of_the_event(
    store: Store, make_reaction: MakeReaction, session: Session, turn: Turn
) -> None:
    store.submit(make_reaction(Thumb(True), "e1")).result()
    store.record_session(replace(session, session_id="s2", game="sugar")).result()
    store.record_turn(replace(turn, turn_id="u1", session_id="s2", game="sugar")).result()
    again = make_reaction(Thumb(False), "e1", turn_id="u1", reach=Reach("sugar"))
    with pytest.raises(EventConflictError, match="is stored already"):
        store.submit(again).result()


@pytest.mark.parametrize("reach", OTHERS)
def test_another_s_event_is_not_undone(
    store: Store, make_reaction: MakeReaction, reach: Reach
) -> None:
    store.submit(make_reaction(Thumb(True), "e1")).result()
    with pytest.raises(UnknownEventError):
        store.undo("e1", reach).result()
    assert not store.events("mira")[0].undone
    assert store.undo("e1", OWN).result().undone
