"""What the store promises about records, whatever happens to the machine around it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedback_store.errors import (
    EventConflictError,
    FeedbackStoreError,
    InvalidEventError,
    InvalidRecordError,
    RecordConflictError,
    StoreClosedError,
    TooManyEventsError,
    UnknownCheckpointError,
    UnknownEventError,
    UnknownSessionError,
    UnknownTurnError,
)
from feedback_store.rate_limit import RateLimit
from feedback_store.records import (
    Checkpoint,
    Choice,
    Edit,
    Event,
    LivedExchange,
    Outcome,
    Rating,
    Reaction,
    Receipt,
    Session,
    Sign,
    Signal,
    Source,
    Thumb,
    Turn,
)
from feedback_store.store import Store

MakeReaction = Callable[..., Reaction]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_turn_comes_back_equal(store: Store, turn: Turn) -> None:
    assert store.turn("t1") == turn
    assert store.turns("mira") == [turn]


def test_a_session_comes_back_equal(store: Store, session: Session) -> None:
    assert store.session("s1") == session


@pytest.mark.parametrize(
    "payload",
    [
        Thumb(True),
        Edit("No, dear.\x00🐉"),
        Choice(("t2",), kept_position=2),
        Rating(5),
        Outcome(False, "find the mill"),
        Signal(Sign.LINGERED),
    ],
    ids=lambda payload: type(payload).__name__,
)
def test_an_event_comes_back_equal(
    store: Store, turn: Turn, make_reaction: MakeReaction, payload: Any
) -> None:
    store.record_turn(replace(turn, turn_id="t2", take=1)).result()
    reaction = make_reaction(payload)
    store.submit(reaction).result()
    assert store.events("mira") == [_recorded(reaction)]


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


@pytest.mark.parametrize(
    "change", [{"player_id": "bob"}, {"character": "bram"}, {"consent": False}], ids=str
)
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


def test_a_time_without_a_zone_is_refused(store: Store, reaction: Reaction) -> None:
    naive = replace(reaction, created_at=reaction.created_at.replace(tzinfo=None))
    with pytest.raises(InvalidEventError, match="timezone"):
        store.submit(naive).result()


def test_the_same_event_gets_its_first_receipt(store: Store, reaction: Reaction) -> None:
    first = store.submit(reaction).result()
    again = store.submit(replace(reaction, created_at=reaction.created_at + timedelta(1))).result()
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.received_at == first.received_at
    assert store.events("mira") == [_recorded(reaction)]


def test_an_event_id_with_other_content_is_a_conflict(store: Store, reaction: Reaction) -> None:
    store.submit(reaction).result()
    with pytest.raises(EventConflictError, match="another payload"):
        store.submit(replace(reaction, payload=Thumb(True))).result()
    assert store.events("mira") == [_recorded(reaction)]


def test_an_event_needs_its_turn(store: Store, reaction: Reaction) -> None:
    with pytest.raises(UnknownTurnError, match="'t9'"):
        store.submit(replace(reaction, turn_id="t9")).result()


def test_an_event_is_of_the_player_of_its_turn(store: Store, reaction: Reaction) -> None:
    store.submit(reaction).result()
    (event,) = store.events("mira")
    assert (event.player_id, event.session_id) == ("ann", "s1")


@pytest.mark.parametrize(
    "about",
    [{"turn_id": "", "session_id": ""}, {"turn_id": "t1", "session_id": "s1"}],
    ids=["nothing", "both"],
)
def test_an_event_is_about_one_thing(
    store: Store, make_reaction: MakeReaction, about: dict[str, str]
) -> None:
    with pytest.raises(InvalidEventError, match="name exactly one"):
        store.submit(make_reaction(Thumb(True), **about)).result()


def test_an_outcome_may_be_of_a_whole_session(store: Store, make_reaction: MakeReaction) -> None:
    outcome = make_reaction(Outcome(True, "find the mill"), turn_id="", session_id="s1")
    store.submit(outcome).result()
    (event,) = store.events("mira")
    assert (event.turn_id, event.session_id, event.player_id) == ("", "s1", "ann")


def test_only_an_outcome_may_be_of_a_whole_session(
    store: Store, make_reaction: MakeReaction
) -> None:
    with pytest.raises(InvalidEventError, match="about one turn"):
        store.submit(make_reaction(Thumb(True), turn_id="", session_id="s1")).result()


def test_an_outcome_needs_its_session(store: Store, make_reaction: MakeReaction) -> None:
    with pytest.raises(UnknownSessionError, match="'s9'"):
        store.submit(make_reaction(Outcome(True, "x"), turn_id="", session_id="s9")).result()


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [(Rating(0), "0 stars"), (Rating(6), "6 stars"), (Outcome(True, " "), "no name")],
    ids=["no stars", "six stars", "nameless"],
)
def test_a_payload_out_of_range_is_refused(
    store: Store, make_reaction: MakeReaction, payload: Any, complaint: str
) -> None:
    with pytest.raises(InvalidEventError, match=complaint):
        store.submit(make_reaction(payload)).result()


def test_an_undone_event_stays_as_history(store: Store, reaction: Reaction) -> None:
    store.submit(reaction).result()
    undone = store.undo("e1").result()
    assert undone == store.undo("e1").result()
    assert store.events("mira") == [undone] == [replace(_recorded(reaction), undone=True)]
    assert store.submit(reaction).result().duplicate


def test_only_what_is_recorded_can_be_undone(store: Store) -> None:
    with pytest.raises(UnknownEventError, match="'e9'"):
        store.undo("e9").result()


def test_what_the_server_derived_cannot_be_undone(
    store: Store, make_reaction: MakeReaction
) -> None:
    store.submit(make_reaction(Signal(Sign.SILENT), source=Source.DERIVED)).result()
    with pytest.raises(UnknownEventError):
        store.undo("e1").result()


def test_many_events_are_answered_each_on_its_own(
    store: Store, make_reaction: MakeReaction
) -> None:
    answers = store.submit_all(
        [
            make_reaction(Thumb(True), "e1"),
            make_reaction(Thumb(True), "e2", turn_id="t9"),
            make_reaction(Thumb(True), "e3", created_at="noon"),
            make_reaction(Thumb(True), "e1"),
        ]
    ).result()
    kinds = [type(answer).__name__ for answer in answers]
    assert kinds == ["Receipt", "UnknownTurnError", "InvalidEventError", "Receipt"]
    assert [event.event_id for event in store.events("mira")] == ["e1"]


def test_many_at_once_become_what_they_become_one_by_one(
    tmp_path: Path, session: Session, turn: Turn, make_reaction: MakeReaction
) -> None:
    reactions = [
        make_reaction(Thumb(True), "old"),
        make_reaction(Thumb(False), "old"),
        make_reaction(Choice(("t2",)), "choice"),
        make_reaction(Choice(("t9",)), "odd choice"),
        make_reaction(Edit(" "), "blank"),
        make_reaction(Edit('"quoted" \x00 🐉 \\'), "edit"),
        make_reaction(Rating(3), "named\x00strangely"),
        make_reaction(Outcome(True, "mill"), "of session", turn_id="", session_id="s1"),
        make_reaction(Rating(3), "unknown", turn_id="t9"),
        make_reaction(Rating(3), "twice"),
        make_reaction(Rating(3), "twice"),
    ]
    found = []
    for name in ("at once", "one by one"):
        with Store.open(tmp_path / name) as store:
            store.record_session(session).result()
            for turn_id in ("t1", "t2"):
                store.record_turn(replace(turn, turn_id=turn_id)).result()
            store.submit(reactions[0]).result()
            groups = [reactions] if name == "at once" else [[one] for one in reactions]
            answers = [answer for group in groups for answer in store.submit_all(group).result()]
            found.append(({str(_told(one)) for one in answers}, store.events("mira")))
    assert found[0] == found[1]
    assert len(found[0][1]) == 6


def test_a_player_who_sends_too_fast_is_told_when_to_come_again(
    path: Path, store: Store, make_reaction: MakeReaction
) -> None:
    with Store.open(path, limit=RateLimit(events_per_minute=60, burst=2)) as limited:
        events = [make_reaction(Thumb(True), f"e{number}") for number in range(4)]
        *_, refused, _ = limited.submit_all(events).result()
        derived = make_reaction(Signal(Sign.SILENT), "d", source=Source.DERIVED)
        assert not limited.submit(derived).result().duplicate
    assert isinstance(refused, TooManyEventsError)
    assert 0 < refused.retry_after_s <= 1
    assert len(store.events("mira")) == 3


def test_asking_again_does_not_count_against_the_limit(
    path: Path, store: Store, reaction: Reaction
) -> None:
    with Store.open(path, limit=RateLimit(events_per_minute=1, burst=1)) as limited:
        receipts = [limited.submit(reaction).result() for _ in range(5)]
    assert [receipt.duplicate for receipt in receipts] == [False, True, True, True, True]


def test_an_edit_has_text(store: Store, make_reaction: MakeReaction) -> None:
    with pytest.raises(InvalidEventError, match="no text"):
        store.submit(make_reaction(Edit(" \n"))).result()


@pytest.mark.parametrize("over", [(), ("t1",), ("other_prompt",)], ids=["none", "itself", "prompt"])
def test_a_choice_is_among_takes_on_one_prompt(
    store: Store, turn: Turn, make_reaction: MakeReaction, over: tuple[str, ...]
) -> None:
    store.record_turn(replace(turn, turn_id="other_prompt", prompt_ids=(5,))).result()
    with pytest.raises(InvalidEventError, match="turn"):
        store.submit(make_reaction(Choice(over))).result()


def test_a_choice_is_kept_at_a_position_among_those_shown(
    store: Store, turn: Turn, make_reaction: MakeReaction
) -> None:
    store.record_turn(replace(turn, turn_id="t2")).result()
    with pytest.raises(InvalidEventError, match="position 3 of 2"):
        store.submit(make_reaction(Choice(("t2",), kept_position=3))).result()


def test_a_choice_stays_in_its_session(
    store: Store, session: Session, turn: Turn, make_reaction: MakeReaction
) -> None:
    store.record_session(replace(session, session_id="s2")).result()
    store.record_turn(replace(turn, turn_id="t2", session_id="s2")).result()
    with pytest.raises(InvalidEventError, match="another prompt"):
        store.submit(make_reaction(Choice(("t2",)))).result()


def test_a_choice_over_an_unknown_turn_is_refused(
    store: Store, make_reaction: MakeReaction
) -> None:
    with pytest.raises(UnknownTurnError, match="'t9'"):
        store.submit(make_reaction(Choice(("t9",)))).result()


def test_a_checkpoint_comes_back_equal(store: Store) -> None:
    checkpoint = _checkpoint("k1", [("t1",)])
    store.record_checkpoint(checkpoint).result()
    assert store.checkpoint("k1") == checkpoint
    assert store.checkpoint("k9") is None


def test_going_back_marks_what_was_not_lived_through(store: Store, turn: Turn) -> None:
    store.record_checkpoint(_checkpoint("early", [("t1",)])).result()
    later = replace(turn, turn_id="t2", created_at=turn.created_at + timedelta(2))
    store.record_turn(later).result()
    store.record_checkpoint(_checkpoint("late", [("t1",), ("t2",)], days=3)).result()
    store.roll_back("early").result()
    assert [turn.rolled_back for turn in store.turns_of("s1")] == [False, True]
    store.roll_back("late").result()
    assert [turn.rolled_back for turn in store.turns_of("s1")] == [False, False]


def test_a_take_after_the_checkpoint_is_rolled_back_too(store: Store, turn: Turn) -> None:
    store.record_checkpoint(_checkpoint("k1", [("t1",)])).result()
    store.record_turn(replace(turn, turn_id="t1b", take=1)).result()
    store.roll_back("k1").result()
    assert [turn.turn_id for turn in store.turns_of("s1") if turn.rolled_back] == ["t1b"]


def test_a_reply_cut_short_before_the_checkpoint_stays(store: Store, turn: Turn) -> None:
    store.record_turn(replace(turn, turn_id="cut", finish_reason="cancelled")).result()
    store.record_checkpoint(_checkpoint("k1", [("t1",)], days=1)).result()
    store.roll_back("k1").result()
    assert not any(turn.rolled_back for turn in store.turns_of("s1"))


def test_only_a_recorded_checkpoint_leads_back(store: Store) -> None:
    with pytest.raises(UnknownCheckpointError, match="'k9'"):
        store.roll_back("k9").result()


def test_a_turn_that_was_rolled_back_is_still_the_same_turn(store: Store, turn: Turn) -> None:
    later = replace(turn, turn_id="t2", created_at=turn.created_at + timedelta(2))
    store.record_turn(later).result()
    store.record_checkpoint(_checkpoint("k1", [("t1",)])).result()
    store.roll_back("k1").result()
    store.record_turn(later).result()
    assert store.turns_of("s1")[1].rolled_back


def test_plain_player_ids_become_pseudonyms_once(store: Store, reaction: Reaction) -> None:
    store.submit(reaction).result()
    of, is_pseudonym = "p-{}".format, re.compile("p-").match
    for players in (1, 0):
        assert (
            store.ensure_pseudonyms(lambda text: bool(is_pseudonym(text)), of).result() == players
        )
    records = [*store.turns("mira"), *store.events("mira"), store.session("s1")]
    assert {record.player_id for record in records if record} == {"p-ann"}


def test_reopening_keeps_everything(
    store: Store, path: Path, turn: Turn, reaction: Reaction
) -> None:
    store.submit(reaction).result()
    store.close()
    with Store.open(path) as reopened:
        assert reopened.turns("mira") == [turn]
        assert reopened.events("mira") == [_recorded(reaction)]
        assert reopened.submit(reaction).result().duplicate


def test_two_stores_share_one_file(store: Store, path: Path, make_reaction: MakeReaction) -> None:
    with Store.open(path) as second:
        futures = [
            each.submit(make_reaction(Thumb(True), f"{name}{number}"))
            for number in range(50)
            for name, each in (("a", store), ("b", second))
        ]
        assert not any(future.result().duplicate for future in futures)
        assert len(store.events("mira")) == len(second.events("mira")) == 100


def test_closing_writes_what_waits(store: Store, path: Path, make_reaction: MakeReaction) -> None:
    futures = [store.submit(make_reaction(Thumb(True), f"e{number}")) for number in range(2000)]
    store.close()
    assert all(future.done() for future in futures)
    with Store.open(path) as reopened:
        assert len(reopened.events("mira")) == 2000


def test_a_closed_store_says_so(store: Store, reaction: Reaction) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreClosedError):
        store.submit(reaction).result()
    with pytest.raises(StoreClosedError):
        store.turn("t1")


def test_a_write_outlives_the_caller_who_stops_waiting(store: Store, reaction: Reaction) -> None:
    future = store.submit(reaction)
    assert not future.cancel()
    assert not future.result().duplicate


def _recorded(reaction: Reaction) -> Event:
    """The event that ann's reaction becomes."""
    return Event(
        reaction.event_id, reaction.turn_id, "s1", "ann", reaction.payload, reaction.created_at
    )


def _told(answer: Receipt | FeedbackStoreError) -> object:
    """An answer without its times."""
    if isinstance(answer, Receipt):
        return answer.event_id, answer.duplicate
    return re.sub(r"in .* s$", "", str(answer))


def _checkpoint(token: str, takes: Sequence[tuple[str, ...]], days: int = 0) -> Checkpoint:
    """A number of days after the known turn, with these takes in the conversation."""
    lived = tuple(LivedExchange(ids, ids[-1]) for ids in takes)
    return Checkpoint(token, "s1", lived, NOON + timedelta(days, hours=1))
