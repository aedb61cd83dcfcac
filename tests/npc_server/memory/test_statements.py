"""Who remembers what of a line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from feedback_store.memory_records import Span
from feedback_store.records import Session as SessionRecord
from npc_server.memory.statements import first_in_prompt, statements, tells_anything
from npc_server.sessions import Cue, Exchange, Overheard, Session, Take
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.render import Line, Speaker

MIRA = load_characters(SAMPLE_CHARACTERS)["mira"]


def session_of(*said: tuple[str, str], span: Span = Span.PLAYER) -> Session:
    """A session of these lines and replies, which fenn overhears."""
    record = SessionRecord(
        "s", "p", "mira", MIRA.version, False, datetime.now(UTC), span, ("fenn",)
    )
    session = Session(record, MIRA)
    for number, (line, reply) in enumerate(said):
        exchange = Exchange(line, hearers=("mira", "fenn"))
        exchange.add(Take(f"t{number}", reply))
        session.exchanges.append(exchange)
    return session


def test_all_who_heard_a_line_remember_it_from_session_to_session() -> None:
    session = session_of(("I am a thief.", "Out!"))
    found = statements(session, session.exchanges[0])
    assert [(one.character, one.spoken_to) for one in found] == [("mira", "mira"), ("fenn", "mira")]
    assert len({one.statement_id for one in found}) == 2


def test_who_stands_by_remembers_nothing_of_a_session_that_is_not_remembered() -> None:
    session = session_of(("I am a thief.", "Out!"), span=Span.SESSION)
    assert [one.character for one in statements(session, session.exchanges[0])] == ["mira"]


def test_another_take_does_not_tell_it_again() -> None:
    session = session_of(("I am a thief.", "Out!"))
    before = statements(session, session.exchanges[0])
    session.exchanges[0].add(Take("t9", "Away with you!"))
    assert statements(session, session.exchanges[0]) == before


def test_what_was_taken_out_as_personal_is_no_memory() -> None:
    assert not tells_anything(session_of(("My address is [email].", "Hm.")))
    assert tells_anything(session_of(("I live in Kell.", "Hm.")))


def test_of_a_scene_a_player_has_told_what_they_said_themselves() -> None:
    session = session_of(('[Fenn Tarrow says, "I am a thief."]\nI live in Kell.', "Hm."))
    session.exchanges[0].overheard = Overheard("p", "I live in Kell.")
    found = statements(session, session.exchanges[0])
    assert [one.topic for one in found] == ["home", "home"]
    session.exchanges[0].overheard = Overheard("another", "I live in Kell.")
    assert statements(session, session.exchanges[0]) == ()


def test_what_happens_in_the_game_was_told_by_nobody() -> None:
    session = session_of(("[I live in Kell.]", "Hm."))
    session.exchanges[0].cue = Cue("", "[I live in Kell.]")
    assert not tells_anything(session)


@pytest.mark.parametrize(("dropped", "first"), [(0, 0), (2, 1), (4, 3), (6, 4)])
def test_the_first_exchange_of_a_prompt_follows_from_the_lines_it_leaves_out(
    dropped: int, first: int
) -> None:
    said = [("One.", "1"), ("Two.", ""), ("Three.", "3"), ("Four.", "4")]
    session = session_of(*said)
    assert first_in_prompt(session, dropped) == first
    greeted = replace(session.record, greeting="Well met!")
    greeting_dropped = dropped + 1 if dropped else 0
    assert first_in_prompt(replace(session, record=greeted), greeting_dropped) == first


def test_what_a_client_brought_comes_before_the_first_exchange() -> None:
    session = session_of(("One.", "1"), ("Two.", "2"))
    session.brought = (Line(Speaker.PLAYER, "Hello."), Line(Speaker.CHARACTER, "Hi."))
    assert [first_in_prompt(session, dropped) for dropped in (2, 4)] == [0, 1]


def test_a_greeting_alone_may_be_left_out() -> None:
    session = session_of(("One.", "1"))
    greeted = replace(session, record=replace(session.record, greeting="Well met!"))
    assert first_in_prompt(greeted, 1) == 0
