"""How a conversation began is known from the first turns of sessions."""

import pytest

from feedback_store.records import Thumb
from feedback_store.selection.lessons import Messages
from feedback_store.selection.openings import openings
from tests.support.feedback_log import Log

SYSTEM = {"role": "system", "content": "You are Mira."}
EXAMPLE = ({"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Morning."})
LINE = {"role": "user", "content": "Where is the church?"}
SAID = ({"role": "user", "content": "Hm."}, {"role": "assistant", "content": "What?"})


def seen(*before_line: dict[str, str]) -> Messages:
    return (SYSTEM, *before_line, LINE)


@pytest.fixture
def log() -> Log:
    """A log with one session: a first turn, and one that came after it."""
    made = Log()
    made.said("t1", messages=seen(*EXAMPLE))
    made.said("t2", messages=seen(*EXAMPLE, *SAID))
    return made


def test_a_later_turn_began_as_the_first_one(log: Log) -> None:
    assert openings(log.turns.values()) == {"t1": 3, "t2": 3}


def test_a_turn_that_says_how_it_began_needs_no_first_turn(log: Log) -> None:
    greeted = seen({"role": "assistant", "content": "Fresh fish!"})
    log.said("t3", messages=greeted, annotations={"opening": 1}, persona_version="bb22")
    del log.turns["t1"]
    assert openings(log.turns.values()) == {"t2": 5, "t3": 1}


def test_first_turns_of_other_sessions_tell_it_too(log: Log) -> None:
    del log.turns["t1"]
    log.said("t3", messages=seen(*EXAMPLE), player_id="bob")
    assert openings(log.turns.values())["t2"] == 3


def test_each_persona_version_has_its_own(log: Log) -> None:
    log.said("t3", messages=seen(), player_id="bob", persona_version="bb22")
    assert openings(log.turns.values()) == {"t1": 3, "t2": 3, "t3": 1}


def test_a_session_that_went_on_under_a_new_persona_tells_nothing_of_it(log: Log) -> None:
    log.said("t3", messages=seen(*SAID, *SAID), persona_version="bb22")
    assert "t3" not in openings(log.turns.values())


def test_a_snapshot_knows_the_openings_of_its_rows(log: Log) -> None:
    log.did("t2", Thumb(True))
    assert log.selected().openings == {"t2": 3}
