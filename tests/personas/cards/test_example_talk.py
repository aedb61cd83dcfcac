"""Example dialogue becomes exchanges and back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from personas.cards.example_talk import Exchange, talk_in, text_of
from personas.cards.macros import Names

NAMES = Names("Mira Holt", "stranger")
LINES = st.text(st.sampled_from("abc ,.*\n"), min_size=1).map(str.strip).filter(bool)


def test_speeches_go_on_until_the_next_speaker() -> None:
    text = "<START>\n{{user}}: Good morning!\n{{char}}: Morning.\n*She nods.*\n{{user}}: Well?"
    talk = talk_in(text, NAMES)
    assert talk.exchanges == (Exchange("Good morning!", "Morning.\n*She nods.*"),)
    assert talk.left_over == ("Well?",)


def test_names_as_people_write_them_mark_speakers() -> None:
    text = "You: Hi.\nMira Holt: Hm.\n<start>\nUser : Bye.\n<BOT>: Close the door."
    exchanges = talk_in(text, NAMES).exchanges
    assert exchanges == (Exchange("Hi.", "Hm."), Exchange("Bye.", "Close the door."))


def test_what_is_said_to_nobody_is_no_exchange() -> None:
    talk = talk_in(
        "A note.\n{{char}}: Alone.\n<START>\n{{user}}: Hm?\n<START>\n{{user}}: Hi.", NAMES
    )
    assert talk.exchanges == ()
    assert talk.left_over == ("A note.", "Alone.", "Hm?", "Hi.")


@settings(deadline=None)
@given(st.lists(st.tuples(LINES, LINES), max_size=4))
def test_what_is_written_is_taken_apart_again(exchanges: list[tuple[str, str]]) -> None:
    talk = talk_in(text_of(exchanges), NAMES)
    assert [(one.player, one.reply) for one in talk.exchanges] == exchanges
    assert talk.left_over == ()
