"""Players whose votes contradict all others are found, and weigh little."""

import pytest

from feedback_store.records import Choice, Thumb
from tests.support.feedback_log import OTHER, Log

CROWD = ("ann", "bob", "cat")


def voted(votes: dict[str, list[bool]]) -> Log:
    """Each player's thumbs on the replies to the same few lines."""
    log = Log()
    for player, thumbs in votes.items():
        for number, up in enumerate(thumbs):
            turn_id = f"{player}{number}"
            log.line(turn_id, f"{number * 7919:08}", f"{number * 104729:08}.", player_id=player)
            log.did(turn_id, Thumb(up))
    return log


def test_who_contradicts_all_others_is_discounted() -> None:
    log = voted({name: [True] * 5 for name in CROWD} | {"troll": [False] * 5})
    snapshot = log.selected()
    assert snapshot.discounted_players == ("troll",)
    assert snapshot.discounted_rows == 5
    weights = {label.desirable: label.weight for label in snapshot.train_labels}
    assert weights == {True: 0.7, False: pytest.approx(0.14)}


@pytest.mark.parametrize(
    ("thumbs", "found"),
    [
        ([False] * 4, False),
        ([False, False, False, False, True, True], False),
        ([False, False, False, False, False, False, True], True),
    ],
    ids=["too few items", "a third agrees", "a seventh agrees"],
)
def test_an_unusual_taste_is_no_offence(thumbs: list[bool], found: bool) -> None:
    log = voted({name: [True] * 7 for name in CROWD} | {"odd": thumbs})
    assert (log.selected().discounted_players == ("odd",)) is found


def test_one_other_player_is_no_majority() -> None:
    log = voted({"ann": [True] * 9, "troll": [False] * 9})
    assert log.selected().discounted_players == ()


@pytest.mark.parametrize("against", [4, 5, 6])
def test_nobody_is_wrong_where_the_others_disagree(against: int) -> None:
    likers = {f"liker{number}": [True] * 9 for number in range(6)}
    others = {f"other{number}": [False] * 9 for number in range(against)}
    assert voted(likers | others).selected().discounted_players == ()


def test_pairs_are_compared_either_way_round() -> None:
    log = Log()
    for player in (*CROWD, "troll"):
        for number in range(5):
            one, two = f"{player}{number}a", f"{player}{number}b"
            for turn_id, reply in ((one, f"{number * 104729:023}."), (two, OTHER)):
                log.line(turn_id, f"{number * 7919:08}", reply, player_id=player)
            kept, over = (two, one) if player == "troll" else (one, two)
            log.did(kept, Choice((over,)))
    snapshot = log.selected()
    assert snapshot.discounted_players == ("troll",)
    assert {pair.weight for pair in snapshot.train_pairs if pair.chosen == OTHER} == {0.2}
