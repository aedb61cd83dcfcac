"""How a character is asked to sum up, and what of its answer may be remembered."""

from __future__ import annotations

import pytest

from npc_server.memory.summaries import ASKED, MAX_WORDS, asking, objection
from npc_server.sessions import Exchange, Take
from personas.fake import FakeTokenizer
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

MIRA = load_characters(SAMPLE_CHARACTERS)["mira"]


def exchange(line: str, reply: str) -> Exchange:
    """A line and its reply."""
    made = Exchange(line)
    made.add(Take("turn", reply))
    return made


TALK = [
    exchange("Can you mend my sword by Friday?", "Friday it is, nine coppers for that."),
    exchange("My horse needs a shoe as well.", "Bring the beast round."),
]


def test_a_summary_of_what_was_said_is_remembered() -> None:
    said = "The player wants a sword mended by Friday, and a shoe for the horse."
    assert objection(said, TALK, MIRA) == ""


@pytest.mark.parametrize(
    ("summary", "why"),
    [
        ("", "empty"),
        ("As a language model I cannot talk about the sword and the horse.", "out_of_character"),
        ("The player wants a sword mended and a horse", "cut_off"),
        ("The sword? Friday it is, nine coppers for that horse.", "said_before"),
        ("A sword and a horse, dragons, elves, gold, wine, a song and a feast.", "not_about_it"),
        ("We went fishing at the lake and drank much wine.", "not_about_it"),
        ("A sword, a sword, a sword, a sword, a sword and a horse.", "loop"),
        (f"The sword and the horse {' '.join(f'word{n}' for n in range(MAX_WORDS))}.", "too_long"),
    ],
)
def test_anything_else_is_dropped(summary: str, why: str) -> None:
    assert objection(summary, TALK, MIRA) == why


def test_no_secret_is_remembered_to_have_been_told() -> None:
    leak = MIRA.lore.secrets[0].leak_words[0]
    summary = f"The player asked for the sword and the horse, and heard of the {leak}."
    assert objection(summary, TALK, MIRA) == "leak"


def test_a_secret_for_a_while_is_kept_as_the_world_of_the_talk_stands() -> None:
    later = MIRA.lore.secrets[0].model_copy(update={"when": "quest.mill >= 2"})
    lore = MIRA.lore.model_copy(update={"secrets": (later,)})
    mira = MIRA.model_copy(update={"lore": lore})
    summary = (
        f"The player asked for the sword and the horse, and heard of the {later.leak_words[0]}."
    )
    assert objection(summary, TALK, mira, {"quest.mill": 0}) == ""
    assert objection(summary, TALK, mira, {"quest.mill": 2}) == "leak"


def test_what_does_not_fit_is_left_for_another_summary() -> None:
    tokenizer = FakeTokenizer()
    both, whole = asking(MIRA, TALK, tokenizer, 10_000)
    one, part = asking(MIRA, TALK, tokenizer, len(whole) - 1)
    assert (both, one) == (2, 1)
    assert ASKED in tokenizer.decode(part)
    assert asking(MIRA, TALK, tokenizer, 100) == (0, ())
