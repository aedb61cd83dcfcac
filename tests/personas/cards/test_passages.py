"""Long texts are split at sentences, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.cards.passages import fitting, passages, pieces, plain, telling_words
from personas.words import mentioned, words

TEXTS = st.lists(st.sampled_from(["She", "sails.", "Ü!", "♥", "鍛冶屋。", "long" * 9, "\u202e"]))


@settings(deadline=None)
@given(TEXTS.map(" ".join), st.integers(10, 40))
def test_passages_hold_all_words_of_a_text_and_are_short(text: str, most: int) -> None:
    parts = passages(pieces(text, most), most)
    assert all(len(part) <= most for part in parts)
    assert words(" ".join(parts)).count("she") == words(text).count("she")
    assert "".join("".join(parts).split()) == "".join(plain(text).split())


def test_a_text_is_cut_behind_a_whole_sentence() -> None:
    assert fitting("She sails. She sings. She sleeps.", 22) == "She sails. She sings."


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("Mira's forge stands on the north quay.", ["forge", "stands", "north"]),
        ("She is.", ["she", "is"]),
        ("刀は港の倉庫にある。", ["倉庫"]),
        ("♥ …", []),
    ],
)
def test_telling_words_are_those_with_content(text: str, telling: list[str]) -> None:
    assert telling_words(text, ("Mira",)) == telling


@settings(deadline=None)
@given(TEXTS.map(" ".join))
def test_a_text_says_its_telling_words(text: str) -> None:
    assert len(mentioned(text, telling_words(text))) == len(telling_words(text))
