"""A liked reply and a disliked one to the same prompt are a pair."""

from collections import Counter

import pytest

from feedback_store.records import Rating, Thumb
from feedback_store.selection.lessons import Origin
from tests.support.feedback_log import OTHER, REPLY, Log


@pytest.fixture
def log() -> Log:
    """A log in which ann liked OTHER and bob disliked REPLY, to the same prompt."""
    made = Log()
    made.said("t1", OTHER)
    made.said("t2", REPLY, player_id="bob")
    made.did("t1", Thumb(True))
    made.did("t2", Thumb(False))
    return made


def test_opposite_thumbs_of_two_players_are_a_pair(log: Log) -> None:
    (pair,) = log.selected().train_pairs
    assert (pair.chosen, pair.rejected) == (OTHER, REPLY)
    assert (pair.origin, pair.weight) == (Origin.OPPOSITE_THUMBS, 0.5)
    assert (pair.player_id, pair.rejected_by, pair.turn_id) == ("ann", "bob", "t1")
    assert log.selected().players == ("ann", "bob")


def test_a_vote_taken_back_makes_no_pair(log: Log) -> None:
    log.did("t2", Thumb(True))
    assert log.selected().train_pairs == ()


def test_different_prompts_make_no_pair(log: Log) -> None:
    log.said("t2", REPLY, player_id="bob", prompt_ids=(9,))
    assert log.selected().train_pairs == ()


def test_only_thumbs_make_pairs(log: Log) -> None:
    log.did("t2", Thumb(False), undone=True)
    log.events = [event for event in log.events if event.turn_id != "t2"]
    log.did("t2", Rating(1))
    assert log.selected().train_pairs == ()


def test_a_disputed_reply_counts_as_most_players_voted(log: Log) -> None:
    for name, up in (("cat", True), ("dan", True)):
        log.said(f"t-{name}", REPLY, player_id=name)
        log.did(f"t-{name}", Thumb(up))
    assert log.selected().train_pairs == ()


def test_a_prompt_gives_at_most_two_pairs_the_clearest() -> None:
    log = Log()
    votes = Counter({"aaaa aaaa": 3, "bbbb bbbb": 1, "cccc cccc": -1, "dddd dddd": -3})
    for reply, net in votes.items():
        for number in range(abs(net)):
            log.said(f"{reply}{number}", reply, player_id=f"{reply}{number}")
            log.did(f"{reply}{number}", Thumb(net > 0))
    pairs = log.selected().train_pairs
    assert len(pairs) == 2
    assert ("aaaa aaaa", "dddd dddd") in {(pair.chosen, pair.rejected) for pair in pairs}
