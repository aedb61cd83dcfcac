"""The same lesson is taught once, and nobody teaches theirs again and again."""

import pytest

from feedback_store.records import Edit, Thumb
from feedback_store.selection.lessons import Drop
from tests.support.feedback_log import OTHER, REPLY, Log


def everybody_edits(log: Log, texts: list[str]) -> None:
    """As many players as texts each correct the same reply."""
    for number, text in enumerate(texts):
        log.said(f"t{number}", player_id=f"player{number}")
        log.did(f"t{number}", Edit(text))


def test_an_equal_lesson_is_taught_once() -> None:
    log = Log()
    everybody_edits(log, [OTHER, OTHER.upper(), OTHER])
    snapshot = log.selected()
    assert (len(snapshot.train_pairs), len(snapshot.train_edits)) == (1, 1)
    assert snapshot.dropped == {Drop.DUPLICATE: 2}


def test_nearly_equal_lessons_of_many_players_are_one_and_no_heavier() -> None:
    log = Log()
    everybody_edits(log, [f"{OTHER * 3}{sign}" for sign in "abcdef"])
    snapshot = log.selected()
    assert [pair.weight for pair in snapshot.train_pairs] == [1.0]
    assert snapshot.dropped == {Drop.NEAR_DUPLICATE: 5}


def test_the_same_words_to_another_line_are_another_lesson() -> None:
    log = Log()
    log.line("t1", "Who is there?")
    log.line("t2", "What is this?")
    log.did("t1", Edit(OTHER))
    log.did("t2", Edit(OTHER))
    assert len(log.selected().train_pairs) == 2


def test_equal_labels_are_one_and_opposite_ones_two() -> None:
    log = Log()
    for number, up in enumerate([True, True, False]):
        log.said(f"t{number}", REPLY, player_id=f"player{number}")
        log.did(f"t{number}", Thumb(up))
    snapshot = log.selected()
    assert sorted(label.desirable for label in snapshot.train_labels) == [False, True]
    assert snapshot.dropped == {Drop.DUPLICATE: 1}


@pytest.mark.parametrize("text", [OTHER, OTHER * 20], ids=["short", "long"])
def test_a_player_repeats_a_correction_three_times_at_most(text: str) -> None:
    log = Log()
    for number in range(10):
        log.line(f"t{number}", f"{number * 7919:08}")
        log.did(f"t{number}", Edit(f"{text}{number}" if len(text) > 100 else text))
    snapshot = log.selected()
    assert (len(snapshot.train_pairs), len(snapshot.train_edits)) == (3, 3)
    assert snapshot.dropped == {Drop.FLOOD: 7}


def test_several_players_may_correct_alike() -> None:
    log = Log()
    for number in range(8):
        log.line(f"t{number}", f"{number * 7919:08}", player_id=f"player{number}")
        log.did(f"t{number}", Edit(OTHER))
    assert len(log.selected().train_pairs) == 8
