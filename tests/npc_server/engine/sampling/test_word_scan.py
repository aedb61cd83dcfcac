"""Words come out alike however a text is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from languages.reading import words
from npc_server.engine.sampling.word_scan import WordScan, shape_of

TEXTS = st.text("aB'’ é-.ёक्ष\n9", max_size=20)


def scanned(pieces: list[str]) -> list[str]:
    """The words of a text in pieces."""
    scan = WordScan()
    found = [word.text for piece in pieces for word in scan.push(piece)]
    return [*found, scan.open.text] if scan.open else found


@given(pieces=st.lists(TEXTS, max_size=6))
def test_where_a_text_is_cut_does_not_matter(pieces: list[str]) -> None:
    assert scanned(pieces) == scanned(["".join(pieces)])


@pytest.mark.parametrize(
    "text",
    [
        "I don't know, sir.",
        "Half-moon’s “light” -- 3rd!",
        "Où est l'île?",
        "Вода и Огонь",
        "물이 차다",
    ],
)
def test_words_are_those_that_replies_are_compared_by(text: str) -> None:
    assert scanned([text]) == words(text)


def test_signs_of_a_script_without_blanks_stand_alone() -> None:
    scan = WordScan()
    assert [word.text for word in scan.push("水が、cold 来")] == ["水", "が", "cold", "来"]


@pytest.mark.parametrize(
    ("piece", "shape"),
    [
        (" the", (1, 6, False)),
        ("n't", (2, 6, True)),
        (". ", (0, 0, False)),
        ("です", (2, 3, False)),
    ],
)
def test_a_piece_has_a_shape_of_its_own(piece: str, shape: tuple[int, int, bool]) -> None:
    assert shape_of(piece) == shape
