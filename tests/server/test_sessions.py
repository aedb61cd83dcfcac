"""Open conversations: what counts as said, and who may speak."""

import pytest

from npc_server.errors import NotLatestTurnError, SessionBusyError, UnknownSessionError
from npc_server.sessions import Exchange, Session, Sessions, Take
from personas.persona import SAMPLE_CHARACTERS, load_characters
from personas.render import Line, Speaker

MIRA = load_characters(SAMPLE_CHARACTERS)["mira"]


def session(name: str = "s") -> Session:
    """A session with one exchange of two takes; the second is kept."""
    made = Session(name, "p", MIRA)
    exchange = Exchange("Hello.")
    made.add_take(exchange, Take("t1", "One."))
    made.add_take(exchange, Take("t2", "Two."))
    return made


def test_the_newest_take_is_what_was_said() -> None:
    said = [Line(Speaker.PLAYER, "Hello."), Line(Speaker.CHARACTER, "Two.")]
    assert session().history() == said


def test_a_chosen_take_is_what_was_said() -> None:
    made = session()
    made.keep("t1")
    assert made.history()[-1].text == "One."


def test_a_corrected_take_is_what_was_said() -> None:
    made = session()
    made.correct("t2", "Better.")
    assert made.history()[-1].text == "Better."


def test_reactions_to_other_sessions_turns_change_nothing() -> None:
    made = session()
    made.keep("elsewhere")
    made.correct("elsewhere", "Better.")
    assert made.history()[-1].text == "Two."


def test_only_takes_of_the_last_exchange_are_the_latest() -> None:
    made = session()
    assert made.latest("t1") is made.exchanges[0]
    made.add_take(Exchange("Bye."), Take("t3", "Mind the step."))
    with pytest.raises(NotLatestTurnError):
        made.latest("t1")


def test_a_session_speaks_one_turn_at_a_time_and_is_free_afterwards() -> None:
    made = session()
    with made.speaking(), pytest.raises(SessionBusyError), made.speaking():
        pass
    with made.speaking():
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
