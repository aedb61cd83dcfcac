"""Which talk a transcript belongs to: by what was said, not by what a client says it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feedback_store.records import Session as SessionRecord
from npc_server.doors.openai.threads import (
    Pick,
    Place,
    Rewriting,
    Thread,
    Threads,
    place_of,
    trail_of,
)
from npc_server.doors.openai.transcripts import Answered, Transcript
from npc_server.sessions import Exchange, Session, Take
from tests.support.scripted_voices import MIRA

OWNER = ("p1", "mira")
LONG = "I sell dried herbs, and some oil."


def said(*texts: str, lead: str = "") -> Transcript:
    """A transcript of lines and replies in turn; the last line is the new one."""
    answered = zip(texts[:-1:2], texts[1::2], strict=True)
    return Transcript(lead, tuple(Answered(*pair) for pair in answered), texts[-1])


def thread_of(*exchanges: tuple[str, list[str]]) -> Thread:
    """A talk of lines, each with the takes that it was answered by; their ids count up."""
    record = SessionRecord("s1", "p1", "mira", MIRA.version, False, datetime.now(UTC))
    thread = Thread(Session(record, MIRA))
    for at, (line, takes) in enumerate(exchanges):
        thread.begin(at, line, "")
        made = Exchange(line)
        for number, text in enumerate(takes):
            made.add(Take(f"t{at}.{number}", text))
        assert thread.session
        thread.session.exchanges.append(made)
    return thread


TALK = (("Hello.", ["Hi."]), ("Wares?", ["None.", LONG]))

PLACES = {
    "again": (said("Hello.", "Hi.", "Wares?"), Place(1)),
    "on": (said("Hello.", "Hi.", "Wares?", LONG, "How much?"), Place(2)),
    "shown otherwise": (said("Hello.", "*Hi!*", "Wares?", LONG.upper(), "How much?"), Place(2)),
    "picked": (
        said("Hello.", "Hi.", "Wares?", "None.", "How much?"),
        Place(2, Pick("t1.0", ("t1.1",), 1)),
    ),
    "written": (
        said("Hello.", "Hi.", "Wares?", "I sell dried herbs.", "How much?"),
        Place(2, None, (Rewriting("t1.1", "I sell dried herbs."),)),
    ),
    "written before": (
        said("Hello.", "Go away.", "Wares?", LONG, "How much?"),
        Place(2, None, (Rewriting("t0.0", "Go away."),)),
    ),
    "other line": (said("Hello.", "Hi.", "Your name?"), None),
    "gone on": (said("Hello."), None),
    "nothing said": (said("Hello.", "Hi.", "Wares?", "", "How much?"), None),
    "longer than here": (said("Hello.", "Hi.", "Wares?", LONG, "A?", "B.", "C?"), None),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_talk_is_followed_reply_by_reply(case: str) -> None:
    transcript, place = PLACES[case]
    assert place_of(thread_of(*TALK), 0, 0, transcript) == place


def test_a_beginning_of_what_was_broken_off_is_no_correction() -> None:
    thread = thread_of(("Hello.", []))
    thread.exchanges[0].add(Take("t0", "Well met, st", interrupted=True))
    assert place_of(thread, 0, 0, said("Hello.", "Well met,", "Wares?")) == Place(1)


def test_what_was_broken_off_is_picked_over_nothing() -> None:
    thread = thread_of(("Hello.", []))
    for take in (Take("t0", "Well met, st", interrupted=True), Take("t1", "Yes?")):
        thread.exchanges[0].add(take)
    assert place_of(thread, 0, 0, said("Hello.", "Well met,", "Wares?")) == Place(1, Pick("t0"))


class Clock:
    """Tells what it is set to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_longest_known_part_of_a_transcript_names_the_talk() -> None:
    threads, thread = Threads(Clock(), lambda _: None), thread_of(*TALK)
    threads.note(thread, trail_of(OWNER, said("Hello.")), 0)
    threads.note(thread, trail_of(OWNER, said("Hello.", "Hi.", "Wares?")), 1)
    longer = said("Hello.", "Hi.", "Wares?", "None.", "How much?")
    assert threads.find(trail_of(OWNER, longer)) == (thread, 1, 1)
    assert threads.find(trail_of(("p2", "mira"), longer)) is None
    assert threads.find(trail_of(OWNER, said("Hello.", lead="Yes?"))) is None


def test_a_client_that_leaves_out_the_oldest_lines_is_still_known() -> None:
    threads, thread = Threads(Clock(), lambda _: None), thread_of(*TALK)
    threads.note(thread, trail_of(OWNER, said("Hello.", "Hi.", "Wares?")), 1)
    shorter = said("Hello.", "Hi.", "Wares?", LONG, "How much?", lead="What was said before.")
    assert threads.find(trail_of(OWNER, shorter)) == (thread, 1, 1)


def test_talks_are_forgotten_when_they_are_old_or_too_many() -> None:
    ended: list[Session] = []
    clock = Clock()
    threads = Threads(clock, ended.append, most=2, kept_s=60)
    for number in range(3):
        threads.note(thread_of(*TALK), trail_of(OWNER, said(f"Hello {number}.")), 0)
        clock.now_s += 10
    assert threads.find(trail_of(OWNER, said("Hello 0."))) is None
    clock.now_s = 85
    assert threads.find(trail_of(OWNER, said("Hello 2."))) is None
    assert (len(threads), len(ended)) == (0, 3)


async def test_a_talk_in_use_is_not_forgotten() -> None:
    clock = Clock()
    threads, thread = Threads(clock, lambda _: None, kept_s=60), thread_of(*TALK)
    trail = trail_of(OWNER, said("Hello."))
    threads.note(thread, trail, 0)
    clock.now_s = 100
    async with thread.turn:
        assert threads.find(trail) == (thread, 0, 0)
    assert threads.find(trail) is None
