"""Words on their way to a phrase."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from languages.phrase_starts import Reach, phrase_starts
from languages.phrases import mentioned
from languages.reading import read

ENGLISH = ("locking pin", "flaw", "I am a robot")
GERMAN = ("Sprachmodell", "künstliche Intelligenz", "KI-System")


@pytest.mark.parametrize(
    ("said", "reach"),
    [
        ("locking", Reach.BEGUN),
        ("locking pin", Reach.SAID),
        ("locking the", Reach.NOWHERE),
        ("I am a", Reach.BEGUN),
        ("i AM a robot now", Reach.SAID),
        ("flaws", Reach.NOWHERE),
    ],
)
def test_words_reach_a_phrase(said: str, reach: Reach) -> None:
    assert phrase_starts(ENGLISH, "en").reach(read(said).tokens) is reach


@pytest.mark.parametrize("said", ["Sprachmodelle", "KI System", "künstlicher Intelligenz"])
def test_forms_and_joined_words_are_followed(said: str) -> None:
    starts, tokens = phrase_starts(GERMAN, "de"), read(said).tokens
    reached = [starts.reach(tokens[:count]) for count in range(1, len(tokens) + 1)]
    assert reached == [Reach.BEGUN] * (len(tokens) - 1) + [Reach.SAID]


def test_signs_without_blanks_are_followed_one_by_one() -> None:
    starts = phrase_starts(["语言模型", "AI助手"], "zh")
    assert starts.reach(("语", "言")) is Reach.BEGUN
    assert starts.reach(("ai",)) is Reach.BEGUN
    assert starts.reach(("ai", "助", "手")) is Reach.SAID
    assert starts.reach(("语", "法")) is Reach.NOWHERE


SAYABLE = ("locking", "pin", "flaw", "i", "am", "a", "robot", "the", "old")
WORDS = st.lists(st.sampled_from(SAYABLE), max_size=8)


@given(WORDS)
def test_whatever_a_text_mentions_was_begun_from_its_first_word_on(words: list[str]) -> None:
    starts = phrase_starts(ENGLISH, "en")
    for first in range(len(words)):
        for end in range(first + 1, len(words) + 1):
            told = mentioned(" ".join(words[first:end]), ENGLISH, "en")
            if told and not mentioned(" ".join(words[first + 1 : end]), ENGLISH, "en"):
                assert all(starts.reach(words[first:to]) for to in range(first + 1, end))
                assert starts.reach(words[first:end]) is Reach.SAID
