"""No player has more than their share."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_store.records import Edit, Payload, Thumb
from feedback_store.selection.lessons import Drop
from feedback_store.selection.player_caps import cap, player_share
from feedback_store.selection.rules import Rules
from tests.support.feedback_log import ALL_TRAINED, Log

React = Callable[[int], Payload]


def edited(number: int) -> Payload:
    """The player says it in words of their own."""
    return Edit(f"{number * 15485863:09}")


def liked(_number: int) -> Payload:
    """The player is content."""
    return Thumb(True)


def busy(react: React) -> Log:
    """Ann says a great deal."""
    log = Log()
    for number in range(30):
        log.line(f"t{number}", f"{number * 7919:08}")
        log.did(f"t{number}", react(number))
    return log


counts_of_players = st.lists(st.integers(1, 60), min_size=1, max_size=40)
shares = st.sampled_from([0.05, 0.1, 0.25, 0.5, 1.0, 1.5])


@given(counts_of_players, shares)
def test_the_cap_is_the_largest_that_keeps_everybody_to_the_share(
    counts: list[int], share: float
) -> None:
    def fits(limit: int) -> bool:
        return limit <= share * sum(min(n, limit) for n in counts)

    found = cap(counts, share)
    assert fits(found) or found == 1
    assert not any(fits(more) for more in range(found + 1, max(counts) + 1))


@given(counts_of_players, shares, st.integers(0, 39))
def test_more_rows_of_others_never_lower_the_cap(counts: list[int], share: float, who: int) -> None:
    more = list(counts)
    more[who % len(more)] += 5
    assert cap(more, share) >= cap(counts, share)


@pytest.mark.parametrize(("players", "share"), [(1, 1.5), (3, 0.5), (30, 0.05), (1000, 0.05)])
def test_the_share_grows_as_players_get_scarce(players: int, share: float) -> None:
    assert player_share(players, Rules()) == share


def test_a_player_has_at_most_twenty_pairs() -> None:
    snapshot = busy(edited).selected()
    assert (len(snapshot.train_pairs), len(snapshot.train_edits)) == (20, 20)
    assert snapshot.dropped == {Drop.PLAYER_SHARE: 10}


@pytest.mark.parametrize("react", [edited, liked])
def test_a_busy_player_does_not_write_the_character_alone(react: React) -> None:
    log = busy(react)
    for number in range(40):
        log.line(f"other{number}", f"else {number * 6271:08}", player_id=f"player{number}")
        log.did(f"other{number}", react(number + 100))
    snapshot = log.selected()
    rows = snapshot.train_pairs or snapshot.train_labels
    mine = sum(row.player_id == "ann" for row in rows)
    assert (mine, len(rows)) == (2, 42)
    assert snapshot.dropped == {Drop.PLAYER_SHARE: 28}


def test_the_most_trusted_rows_stay() -> None:
    log = busy(edited)
    rules = Rules(held_out_share=0, recent_share=0, max_pairs=5)
    everything = sorted(log.selected().train_pairs, key=lambda pair: pair.hash)
    assert list(log.selected(rules).train_pairs) == everything[:5]


def test_one_player_is_never_left_without_a_row() -> None:
    assert len(busy(liked).selected(ALL_TRAINED).train_labels) == 30
