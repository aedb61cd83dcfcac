"""Open conversations: what counts as said, and who may speak."""

from datetime import UTC, datetime, timedelta

import pytest

from feedback_store.records import Session as SessionRecord
from npc_server.errors import NotLatestTurnError, SessionBusyError, UnknownSessionError
from npc_server.sessions import Exchange, Session, Sessions, Story, Take
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.render import Line, Speaker

MIRA = load_characters(SAMPLE_CHARACTERS)["mira"]


def session(name: str = "s", prefix: str = "t") -> Session:
    """A session with one exchange of two takes; the second is kept."""
    record = SessionRecord(name, "p", "mira", MIRA.version, True, datetime.now(UTC))
    exchange = Exchange("Hello.")
    exchange.add(Take(f"{prefix}1", "One."))
    exchange.add(Take(f"{prefix}2", "Two."))
    return Session(record, MIRA, Story([exchange]))


def test_the_newest_take_is_what_was_said() -> None:
    said = [Line(Speaker.PLAYER, "Hello."), Line(Speaker.CHARACTER, "Two.")]
    assert session().history() == said


def test_what_was_done_before_and_arrives_late_changes_nothing() -> None:
    made, now = session(), datetime.now(UTC)
    before = now - timedelta(seconds=1)
    made.keep("t1", "e1", now)
    made.keep("t2", "late", before + timedelta(milliseconds=500))
    made.correct("t1", "Better.", "e2", now)
    made.correct("t1", "Worse.", "late too", before)
    assert made.history()[1] == Line(Speaker.CHARACTER, "Better.")
    made.uncorrect("t1", "Better.", "e2")
    assert made.history()[1] == Line(Speaker.CHARACTER, "Worse.")


def test_a_choice_that_was_made_before_a_newer_take_does_not_replace_it() -> None:
    made = session()
    chosen_at = datetime.now(UTC)
    ended_at = chosen_at + timedelta(seconds=1)
    made.exchanges[0].add(Take("t3", "Three.", ended_at=ended_at))
    made.keep("t1", "late", chosen_at)
    assert made.history()[1] == Line(Speaker.CHARACTER, "Three.")


def test_a_chosen_take_is_what_was_said() -> None:
    made = session()
    made.keep("t1", "e1", datetime.now(UTC))
    assert made.history()[-1].text == "One."


def test_a_corrected_take_is_what_was_said() -> None:
    made = session()
    made.correct("t2", "Better.", "e1", datetime.now(UTC))
    assert made.history()[-1].text == "Better."


def test_reactions_to_other_sessions_turns_change_nothing() -> None:
    made = session()
    made.keep("elsewhere", "e1", datetime.now(UTC))
    made.correct("elsewhere", "Better.", "e2", datetime.now(UTC))
    assert made.history()[-1].text == "Two."


def test_a_choice_taken_back_leaves_the_newest_take() -> None:
    made = session()
    made.keep("t1", "e1", datetime.now(UTC))
    made.unkeep("t1", "e1")
    assert made.history()[-1].text == "Two."


def test_a_choice_taken_back_leaves_the_choice_before_it() -> None:
    made = session()
    made.exchanges[0].add(Take("t3", "Three."))
    made.keep("t1", "e1", datetime.now(UTC))
    made.keep("t2", "e2", datetime.now(UTC))
    made.unkeep("t2", "e2")
    assert made.history()[-1].text == "One."


def test_a_correction_taken_back_twice_leaves_the_one_before_it() -> None:
    made = session()
    made.correct("t2", "Better.", "e1", datetime.now(UTC))
    made.correct("t2", "Worse.", "e2", datetime.now(UTC))
    for _ in range(2):
        made.uncorrect("t2", "Worse.", "e2")
    assert made.history()[-1].text == "Better."


def test_only_takes_of_the_last_exchange_are_the_latest() -> None:
    made = session()
    assert made.latest("t1") is made.exchanges[0]
    Sessions().add_take(made, Exchange("Bye."), Take("t3", "Mind the step."))
    with pytest.raises(NotLatestTurnError):
        made.latest("t1")


def test_a_session_speaks_one_turn_at_a_time_and_is_free_afterwards() -> None:
    made = session()
    with made.claim_turn(), pytest.raises(SessionBusyError), made.claim_turn():
        pass
    with made.claim_turn():
        pass


def test_the_longest_idle_session_makes_room() -> None:
    sessions = Sessions(limit=2)
    for name in ("a", "b"):
        sessions.add(session(name))
    sessions.get("a")
    sessions.add(session("c"))
    assert sessions.find("b") is None
    assert sessions.find("a") is not None


def test_an_ended_session_is_unknown() -> None:
    sessions = Sessions()
    sessions.add(session("a"))
    sessions.end("a")
    with pytest.raises(UnknownSessionError, match="start a new one"):
        sessions.get("a")


def test_an_open_session_is_found_by_its_turns_until_it_ends() -> None:
    sessions = Sessions()
    sessions.add(made := session("a"))
    sessions.add_take(made, Exchange("Bye."), Take("t3", "Mind the step."))
    assert [sessions.of_turn(name) for name in ("t1", "t3", "t4")] == [made, made, None]
    sessions.end("a")
    assert sessions.of_turn("t1") is sessions.of_turn("t3") is None


def test_turns_of_a_session_that_made_room_are_not_found() -> None:
    sessions = Sessions(limit=1)
    sessions.add(session("a", "ta"))
    sessions.add(kept := session("b", "tb"))
    assert (sessions.of_turn("ta1"), sessions.of_turn("tb1")) == (None, kept)


def test_a_session_that_goes_back_is_found_by_the_turns_of_its_past_alone() -> None:
    sessions = Sessions()
    sessions.add(made := session("a"))
    sessions.go_back(made, session("a", "old"))
    assert (sessions.of_turn("t1"), sessions.of_turn("old1")) == (None, made)
