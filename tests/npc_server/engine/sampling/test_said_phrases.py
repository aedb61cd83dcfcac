"""No reply says more of one earlier line again than the share that it may."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from languages.reading import word_runs, words
from npc_server.engine.sampling.said_phrases import SaidPhrases, read_line

MOST = 0.2
PIECES = (" the", " The", " sea", "s", " don", "'t", " I", "'m", ".", ", ", " iron", "\n", " half-")
LINES = st.lists(st.lists(st.sampled_from(PIECES), max_size=24), max_size=4)


def phrases(text: str) -> set[tuple[str, ...]]:
    """All phrases of four words."""
    said = words(text)
    return {tuple(said[i : i + 4]) for i in range(len(said) - 3)}


def share_again(reply: str, line: str) -> float:
    """How many of a reply's phrases a line has."""
    own = phrases(reply)
    return len(own & phrases(line)) / len(own) if own else 0.0


def drawn(known: SaidPhrases, pieces: Sequence[str], seed: int, tokens: int = 40) -> list[str]:
    """A reply of random pieces that are not refused, until none is left."""
    reply, source = list[str](), random.Random(seed)
    for _ in range(tokens):
        fitting = [piece for piece in pieces if not known.refuses(piece)]
        if not fitting:
            break
        reply.append(source.choice(fitting))
        known.add(reply[-1])
    return reply


@settings(max_examples=60)
@given(lines=LINES, seed=st.integers(0, 1000))
def test_wherever_a_reply_ends_it_says_a_fifth_of_one_line_again_at_most(
    lines: list[list[str]], seed: int
) -> None:
    known = SaidPhrases([read_line(line) for line in lines], MOST)
    reply = drawn(known, PIECES, seed)
    for end in range(len(reply) + 1):
        so_far = "".join(reply[:end])
        assert all(share_again(so_far, "".join(line)) <= MOST for line in lines)


@settings(max_examples=40)
@given(line=st.lists(st.sampled_from(PIECES), max_size=24), seed=st.integers(0, 1000))
def test_with_a_share_of_one_nothing_is_refused(line: list[str], seed: int) -> None:
    known = SaidPhrases([read_line(line)], 1)
    assert len(drawn(known, PIECES, seed)) == 40


@pytest.mark.parametrize(
    "line", ["今日はいい天気ですね。明日も晴れるでしょう。", "วันนี้อากาศดีมากพรุ่งนี้ฝนจะตก"]
)
def test_a_script_without_blanks_has_phrases_too(line: str) -> None:
    known = SaidPhrases([read_line(list(line))], MOST)
    said = ""
    for sign in line:
        if known.refuses(sign):
            break
        known.add(sign)
        said += sign
    assert 0 < len(said) < len(line)
    assert not set(word_runs(said, 5)) & set(word_runs(line, 5))


LINE = ("The", " very", " thing", " I", " have", " not", " been", " seek", "ing", ".")


@pytest.mark.parametrize("begins", ["The very thing", "the Very, THING", "So: the very thing"])
@pytest.mark.parametrize("word", [" I", " i", "\n\nI", ", I"])
def test_capitals_and_what_is_between_words_do_not_matter(begins: str, word: str) -> None:
    known = SaidPhrases([read_line(LINE)], MOST)
    known.add(begins)
    assert known.refuses(word)
    assert not known.refuses(" it")


@pytest.mark.parametrize(
    ("piece", "refused"), [(" seek", True), (" seeking", True), (" see", False), (" seeks", False)]
)
def test_a_word_is_refused_from_the_first_token_that_shows_it(piece: str, refused: bool) -> None:
    known = SaidPhrases([read_line(LINE)], MOST)
    known.add("We have not been")
    assert known.refuses(piece) is refused


def test_a_contraction_is_refused_as_a_whole() -> None:
    known = SaidPhrases([read_line((" but", " I", " don", "'t", " know"))], MOST)
    known.add("But I")
    assert known.refuses(" don")
    assert not known.refuses(" do")


def test_what_is_new_makes_room_for_what_is_not() -> None:
    known = SaidPhrases([read_line(LINE)], MOST)
    known.add("One two three four the very thing")
    assert not known.refuses(" I")
    known.add(" I")
    assert known.refuses(" have")


def test_a_short_line_is_known_again_as_a_whole() -> None:
    known = SaidPhrases([read_line(("Good", " day", "."))], MOST)
    found = []
    for piece in ("good", " day", ",", " sir"):
        known.add(piece)
        found.append(known.all_said)
    assert found == [False, True, True, False]
