"""Which texts count as the same."""

import random

import pytest

from feedback_store.selection.near_text import MOST_GROUPS, groups, line_key, near_equal, neighbours

LONG = "the tide took the old bridge last winter and nobody has built another since"


def test_lines_are_the_same_but_for_case_spacing_punctuation_and_unicode_form() -> None:
    assert line_key("  Hello,\nMIRA!! 🙂") == line_key("hello Mira")
    assert line_key("ｃａｆé") == line_key("cafe\u0301") == "café"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("鍵は、どこ？", "鍵は どこ"),
        ("أين الْمِفْتَاح؟", "اين المفتاح"),
        ("İSTANBUL", "istanbul"),
        ("ke\u200by", "KEY"),
    ],
)
def test_lines_are_the_same_in_every_script(one: str, other: str) -> None:
    assert line_key(one) == line_key(other)


@pytest.mark.parametrize("text", ["...", "?!", "🐉"])
def test_a_line_of_signs_alone_keeps_them(text: str) -> None:
    assert line_key(text) == text


def test_a_line_is_compared_by_its_beginning() -> None:
    assert line_key("word " * 1000) == line_key("word " * 400)


@pytest.mark.parametrize(
    ("other", "near"),
    [
        (LONG, True),
        (LONG.replace("winter", "wintr"), True),
        (LONG.replace("the tide took the old bridge", "a flood tore away our bridge"), False),
        ("", False),
    ],
    ids=["equal", "typo", "other words", "nothing"],
)
def test_a_slip_of_the_finger_leaves_texts_near_equal(other: str, near: bool) -> None:
    assert near_equal(LONG, other) is near
    assert near_equal(other, LONG) is near


def test_a_group_is_named_by_one_of_its_texts_in_any_order() -> None:
    texts = [LONG, f"{LONG} now", "no", LONG.replace("tide", "tides")]
    named = groups(texts)
    assert len(set(named.values())) == 2
    assert groups(random.Random(1).sample(texts, 4)) == named
    assert all(named[name] == name for name in named.values())


def test_there_is_a_group_for_every_text_however_many() -> None:
    texts = [f"{number:06} {number * 7919:08}" for number in range(MOST_GROUPS + 20)]
    assert set(groups(texts)) == set(texts)


def test_neighbours_are_the_near_equal_lines_of_both_sides() -> None:
    found = neighbours({"hello", LONG, "no"}, {"hello", f"{LONG} now", "yes"})
    assert sorted(found) == [("hello", "hello"), (LONG, f"{LONG} now")]


def test_nothing_is_near_no_lines() -> None:
    assert neighbours(set(), {"hello"}) == neighbours({"hello"}, set()) == []


def test_empty_lines_are_neighbours() -> None:
    assert neighbours({""}, {""}) == [("", "")]
