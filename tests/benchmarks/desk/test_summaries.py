"""Summaries are judged by the words that were said."""

from benchmarks.desk.summaries import SummedUp, Talk, read_talks, result_of
from personas.persona_files import SAMPLE_CHARACTERS, character_folders

TALK = Talk("mira", ("My horse lost a shoe.",), (("horse", "mare"), ("shoe",)))
SAID = frozenset({"my", "horse", "lost", "a", "shoe", "aye"})


def test_what_nobody_said_is_invented_and_what_shows_a_fact_is_kept() -> None:
    found = SummedUp(TALK, SAID, "The player told me that a horse lost a dragon.")
    assert (found.kept, found.invented) == (1, frozenset({"dragon"}))


def test_only_summaries_that_are_remembered_are_judged() -> None:
    good = SummedUp(TALK, SAID, "The player told me that a horse lost a shoe.")
    figures = result_of([good, SummedUp(TALK, SAID, "")]).figures
    assert {name: one.value for name, one in figures.items()} == {
        "summaries_made": 0.5,
        "summary_facts": 1,
        "summaries_inventing": 0,
    }


def test_every_talk_is_with_one_of_the_cast_and_tells_something() -> None:
    talks = read_talks()
    assert len(talks) >= 30
    assert {one.character for one in talks} == {
        one.name for one in character_folders(SAMPLE_CHARACTERS)
    }
    assert all(one.facts and one.lines for one in talks)
