"""The signals that are derived from how a conversation goes."""

from datetime import UTC, datetime, timedelta

import pytest

from feedback_store.records import Choice, Sign, Signal, Source
from npc_server.sessions import Exchange, Take
from npc_server.signals import is_rephrased, on_abandoned, on_end, on_line

SILENCE = timedelta(seconds=120)
MILL = "Where is the old mill?"

#: A new line, the earlier one, and whether a person would say that it is the same again.
PAIRS = [
    ("Where is the old mill?", "Where is the old mill?", True),
    ("where is the old mill", "Where is the old mill?", True),
    ("WHERE IS THE OLD MILL???", "Where is the old mill?", True),
    ("I asked where the old mill is.", "Where is the old mill?", True),
    ("So where is this old mill?", "Where is the old mill?", True),
    ("Can you fix my sword?", "Could you fix my sword?", True),
    ("Can you please fix my sword for me?", "Can you fix my sword?", True),
    ("My sword, can you fix it?", "Can you fix my sword?", True),
    ("How much for the horseshoes?", "How much are the horseshoes?", True),
    ("How much do the horseshoes cost?", "How much are the horseshoes?", True),
    ("Tell me about the king.", "Tell me something about the king.", True),
    ("I said tell me about the king!", "Tell me about the king.", True),
    ("Who killed the miller's son?", "Who killed the son of the miller?", True),
    ("Do you know who killed the miller?", "Who killed the miller?", True),
    ("What is the password for the gate?", "What's the gate password?", True),
    ("whats the password of the gate", "What is the password for the gate?", True),
    ("Have you seen my brother Tom?", "Did you see my brother Tom?", True),
    ("Have you seen my brother? His name is Tom.", "Have you seen my brother Tom?", True),
    ("Will you come with me to the ruins?", "Come with me to the ruins.", True),
    ("I need a healing potion", "I need a potion of healing.", True),
    ("I need healing potions, now!", "I need a healing potion", True),
    ("Why is the bridge closed?", "Why have they closed the bridge?", True),
    ("Why's the bridge closed", "Why is the bridge closed?", True),
    ("Answer me: why is the bridge closed?", "Why is the bridge closed?", True),
    ("Dónde está la iglesia?", "¿Dónde está la iglesia?", True),
    ("Wo ist denn die Kirche?", "Wo ist die Kirche?", True),
    ("Which way to the harbor from here?", "Which way is the harbour?", True),
    ("Wich way is the harbour?", "Which way is the harbour?", True),
    ("Teach me the fire spell, please.", "Teach me the fire spell.", True),
    ("Do you sell arrows here?", "Do you have arrows to sell?", True),
    ("Where is the new inn?", "Where is the old mill?", False),
    ("Who owns the old mill?", "Where is the old mill?", False),
    ("Can you fix my shield?", "Can you fix my sword?", False),
    ("Can you sharpen my sword?", "Can you fix my sword?", False),
    ("How much for the nails?", "How much for the horseshoes?", False),
    ("Tell me about the queen.", "Tell me about the king.", False),
    ("Tell me about yourself.", "Tell me about the war.", False),
    ("Who killed the miller's wife?", "Who killed the miller's son?", False),
    ("Why did they kill the miller?", "Who killed the miller?", False),
    ("Have you seen my sister Ann?", "Have you seen my brother Tom?", False),
    ("When does the bridge open again?", "Why is the bridge closed?", False),
    ("Where is the church?", "Where is the smithy?", False),
    ("I need a sleeping potion", "I need a healing potion", False),
    ("Thank you, that helps.", "Where is the old mill?", False),
    ("And what is behind the old mill?", "Where is the old mill?", False),
    ("I have been to the old mill and it was empty.", "Where is the old mill?", False),
    ("Yes.", "Yes.", False),
    ("No", "No!", False),
    ("ok", "Ok.", False),
    ("Hello?", "Hello.", False),
    ("Go on.", "Go on.", False),
    ("Why?", "Why?", False),
    ("I will take three.", "I will take two.", False),
    ("Take me to the ruins.", "What lies in the ruins?", False),
    ("Teach me the frost spell.", "Teach me the fire spell.", False),
    ("Do you buy arrows?", "Do you sell arrows?", False),
    ("My name is Anna.", "My name is not important.", False),
    ("Good evening, smith.", "Good morning, smith.", False),
    ("What do you think of Fenn?", "What do you think of Orsolo?", False),
    ("Do you remember me?", "Do you remember the war?", False),
    ("I do not trust you.", "I trust you.", False),
    ("Is it dangerous there?", "Is it far?", False),
    ("What happened at the harbour last night?", "Which way is the harbour?", False),
    ("Where did you learn to forge swords?", "Where did you learn to read?", False),
]


def exchange(line: str = MILL, *turn_ids: str) -> Exchange:
    """A line of the player and the takes on its reply, just now."""
    made = Exchange(line)
    for turn_id in turn_ids or ("t1",):
        made.add(Take(turn_id, "Past the ford."))
    return made


def noticed(exchanges: list[Exchange], line: str, after_s: float = 1) -> list[tuple[str, object]]:
    """Turn and payload of each signal that a line gives."""
    now = exchanges[-1].replied_at + timedelta(seconds=after_s)
    return [(event.turn_id, event.payload) for event in on_line(exchanges, line, now, SILENCE)]


def test_near_equal_lines_are_told_from_new_ones_with_the_measured_precision() -> None:
    found = [pair for pair in PAIRS if is_rephrased(pair[0], pair[1])]
    right = [pair for pair in found if pair[2]]
    assert len(right) / len(found) == 1.0, [pair for pair in found if not pair[2]]
    assert len(right) / sum(same for _, _, same in PAIRS) >= 0.7


@pytest.mark.parametrize("line", ["yes", "Go on.", "Hello?", "no no"])
def test_very_short_lines_come_again_without_telling_anything(line: str) -> None:
    assert not is_rephrased(line, line)


@pytest.mark.parametrize(
    ("line", "earlier"),
    [
        ("北の埠頭はどこですか", "北の埠頭はどこですか？"),
        ("उत्तरी घाट कहाँ है?", "उत्तरी घाट कहाँ है"),
        ("ท่าเรือเหนืออยู่ที่ไหน", "ท่าเรือเหนืออยู่ที่ไหนคะ"),
    ],
)
def test_a_line_is_rephrased_in_every_script(line: str, earlier: str) -> None:
    assert is_rephrased(line, earlier)
    assert not is_rephrased("はい", "はい")


def test_a_line_said_again_tells_of_the_reply_to_the_earlier_one() -> None:
    talk = [exchange(MILL, "t1"), exchange("And the smithy, by the way?", "t2")]
    assert noticed(talk, "where is the old mill") == [("t1", Signal(Sign.REPHRASED))]


def test_a_line_from_long_before_is_not_looked_at() -> None:
    talk = [exchange(MILL, "t1"), exchange("Aye, thanks a lot.", "t2"), exchange("Bye now.", "t3")]
    assert noticed(talk, MILL) == []


def test_going_on_with_the_newest_of_several_takes_is_a_choice() -> None:
    talk = [exchange(MILL, "t1", "t2", "t3")]
    assert noticed(talk, "Thank you kindly.") == [("t3", Choice(("t1", "t2"), 3))]


def test_a_choice_the_player_made_is_not_derived_again() -> None:
    talk = [exchange(MILL, "t1", "t2")]
    talk[0].keep("t1", "e1", datetime.now(UTC))
    assert noticed(talk, "Thank you kindly.") == []


def test_a_long_silence_tells_of_the_kept_reply() -> None:
    talk = [exchange()]
    assert noticed(talk, "Still there?", after_s=121) == [("t1", Signal(Sign.SILENT))]
    now = talk[0].replied_at
    assert list(on_end(talk, now + timedelta(seconds=119), SILENCE)) == []
    assert [event.turn_id for event in on_end(talk, now + 2 * SILENCE, SILENCE)] == ["t1"]


def test_nothing_is_told_by_a_first_line() -> None:
    assert list(on_line([], MILL, datetime.now(UTC), SILENCE)) == []


def test_noticing_the_same_again_makes_the_same_derived_event() -> None:
    first, again = (on_abandoned("t1", datetime.now(UTC)) for _ in range(2))
    assert (first.event_id, first.source) == ("derived:abandoned:t1", Source.DERIVED)
    assert first.event_id == again.event_id
