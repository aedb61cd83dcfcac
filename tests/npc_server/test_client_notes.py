"""What clients send along is told in a room of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from feedback_store.records import Session as SessionRecord
from npc_server.client_notes import ClientNotes
from npc_server.note_sources import Moment
from npc_server.sessions import Session
from personas.fake import FakeTokenizer
from tests.support.scripted_voices import MIRA


def session_with(*scene: str) -> Session:
    """A conversation whose client tells these sentences."""
    record = SessionRecord("s1", "p1", "mira", MIRA.version, False, datetime.now(UTC))
    return Session(record, MIRA, scene=scene)


def test_room_is_set_aside_where_a_client_tells_anything() -> None:
    source = ClientNotes(FakeTokenizer(), 20)
    told, untold = session_with("It rains."), session_with()
    assert (source.room_tokens(told), source.room_tokens(untold)) == (20, 0)


async def test_the_first_sentences_that_fit_are_told() -> None:
    source = ClientNotes(FakeTokenizer(), 20)  # a token is a byte
    session = session_with("It rains.", "It is late.", "Hush.")
    notes = await source.notes(Moment(session, "Hello.", (), "t1", 1))
    assert [note.text for note in notes] == ["It rains."]
