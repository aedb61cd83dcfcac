"""Rows that cannot teach are found, each for its reason."""

from dataclasses import replace

import pytest

from feedback_store.records import Choice, Edit, Thumb
from feedback_store.selection.filters import fault
from feedback_store.selection.lessons import Drop, Labelled, Origin, Pair
from tests.support.feedback_log import OTHER, REPLY, Log


@pytest.fixture
def edit() -> Pair:
    """OTHER over REPLY, in a player's words."""
    log = Log()
    log.said("t1")
    log.did("t1", Edit(OTHER))
    (row,) = log.statements().rows
    assert isinstance(row, Pair)
    return row


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("  PAST the mill,\ndear.", Drop.EQUAL),
        ("Past the mill, dearr.", Drop.NEAR_EQUAL),
        (" \t", Drop.EMPTY_CHOSEN),
        ("\u200b\u2060", Drop.EMPTY_CHOSEN),
        ("\u00a8", Drop.EMPTY_CHOSEN),
        (OTHER, None),
    ],
    ids=["equal", "near", "blank", "unseen", "accent", "good"],
)
def test_an_edit_that_teaches_nothing_has_a_fault(
    edit: Pair, text: str, reason: Drop | None
) -> None:
    assert fault(replace(edit, chosen=text)) is reason


def test_an_edit_may_cut_as_much_as_it_likes(edit: Pair) -> None:
    assert fault(replace(edit, chosen="No.", rejected=REPLY * 40)) is None


@pytest.mark.parametrize("other", ["", "No.", OTHER * 4], ids=["empty", "shorter", "longer"])
@pytest.mark.parametrize("origin", [Origin.CHOICE, Origin.WENT_ON, Origin.OPPOSITE_THUMBS])
def test_replies_of_very_different_lengths_teach_length(
    edit: Pair, other: str, origin: Origin
) -> None:
    assert fault(replace(edit, rejected=other, origin=origin)) is Drop.LENGTH_RATIO


def test_a_label_on_silence_teaches_nothing() -> None:
    log = Log()
    log.said("t1", " ")
    log.did("t1", Thumb(False))
    (row,) = log.statements().rows
    assert isinstance(row, Labelled)
    assert fault(row) is Drop.EMPTY_CHOSEN


@pytest.mark.parametrize("text", ["Ask [handle] at the ferry.", "The number is [Phone]."])
def test_nobody_learns_to_say_a_placeholder(edit: Pair, text: str) -> None:
    assert fault(replace(edit, chosen=text)) is Drop.PLACEHOLDER
    assert fault(replace(edit, chosen=text, origin=Origin.CHOICE)) is Drop.PLACEHOLDER


def test_a_placeholder_may_be_disliked_and_answered() -> None:
    log = Log()
    log.said("t1", "Is your number [phone]?")
    log.did("t1", Thumb(False))
    log.said("t2", "Is your number [phone]?")
    log.did("t2", Thumb(True))
    log.said("t3", player_text="My number is [phone].")
    log.did("t3", Thumb(True))
    assert [fault(row) for row in log.statements().rows] == [None, Drop.PLACEHOLDER, None]


def test_faulty_rows_are_counted() -> None:
    log = Log()
    log.said("t1")
    log.said("t2", OTHER * 4)
    log.did("t1", Choice(("t2",)))
    log.did("t1", Edit(REPLY))
    assert log.selected().dropped == {Drop.LENGTH_RATIO: 1, Drop.EQUAL: 1}
    assert log.selected().left_out == {"e0": Drop.LENGTH_RATIO, "e1": Drop.EQUAL}
