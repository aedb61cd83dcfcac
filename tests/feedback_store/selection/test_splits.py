"""What is kept from training: players, the newest sessions, and their lines."""

import pytest

from feedback_store.records import Edit, Thumb
from feedback_store.selection import is_held_out
from feedback_store.selection.lessons import Drop, HeldOutBy
from feedback_store.selection.rules import Rules
from tests.support.feedback_log import OTHER, Log, held_out, trained

BY_PLAYER = Rules(held_out_share=0.5, recent_share=0)
BY_TIME = Rules(held_out_share=0, recent_share=0.25)
TRAINING_OWNS = Rules(held_out_share=0.5, recent_share=0, trained_line_share=1)
HELD_OUT_OWNS = Rules(held_out_share=0.5, recent_share=0, trained_line_share=0)
LONG = "the tide took the old bridge last winter and nobody has built another since"


def two_players() -> tuple[str, str]:
    """One player who is held out at a share of a half, and one who is not."""
    names = [f"player{number}" for number in range(100)]
    unseen = next(name for name in names if is_held_out(name, 0.5))
    return unseen, next(name for name in names if not is_held_out(name, 0.5))


def liked(line_of_unseen: str, line_of_free: str) -> Log:
    """A held-out player likes the reply to a line, and another player one to another line."""
    unseen, free = two_players()
    log = Log()
    log.line("unseen", line_of_unseen, player_id=unseen)
    log.line("free", line_of_free, player_id=free)
    log.did("unseen", Thumb(True))
    log.did("free", Thumb(True))
    return log


def test_about_the_asked_share_of_players_is_held_out() -> None:
    count = sum(is_held_out(f"player{number}", 0.2) for number in range(5000))
    assert 900 < count < 1100


def test_who_is_held_out_stays_so_at_a_larger_share() -> None:
    names = [f"player{number}" for number in range(200)]
    assert all(is_held_out(name, 0.4) for name in names if is_held_out(name, 0.2))


def test_a_held_out_player_is_not_trained_on() -> None:
    snapshot = liked("How deep is the water?", "Who made this?").selected(BY_PLAYER)
    assert [(row.turn_id, row.held_out_by) for row in held_out(snapshot)] == [
        ("unseen", HeldOutBy.PLAYER)
    ]
    assert [(row.turn_id, row.held_out_by) for row in trained(snapshot)] == [("free", None)]


def test_the_newest_sessions_of_the_others_are_held_out() -> None:
    log = Log()
    for number in range(8):
        log.line(f"t{number}", f"{number}{number}", session_id=f"s{number}")
    log.line("late", "the first session goes on", session_id="s0")
    for turn_id in log.turns:
        log.did(turn_id, Edit(f"{OTHER} {turn_id}"))
    snapshot = log.selected(BY_TIME)
    assert {pair.session_id for pair in snapshot.held_out_pairs} == {"s6", "s7"}
    assert {pair.held_out_by for pair in snapshot.held_out_pairs} == {HeldOutBy.TIME}


def test_sessions_without_feedback_do_not_count_as_the_newest() -> None:
    log = Log()
    for number in range(8):
        log.line(f"t{number}", f"{number}{number}", session_id=f"s{number}")
        log.said(f"silent{number}", session_id=f"later{number}")
        log.did(f"t{number}", Thumb(True))
    assert len(log.selected(BY_TIME).held_out_labels) == 2


@pytest.mark.parametrize(
    ("rules", "kept", "why"),
    [(TRAINING_OWNS, "free", Drop.PROMPT_TRAINED), (HELD_OUT_OWNS, "unseen", Drop.PROMPT_HELD_OUT)],
    ids=["training", "held out"],
)
@pytest.mark.parametrize(
    "lines",
    [("Hello  THERE", "hello there!"), (LONG, f"{LONG} now"), (f"{LONG} now", LONG)],
    ids=["same", "longer", "shorter"],
)
def test_a_line_said_on_both_sides_is_on_one(
    rules: Rules, kept: str, why: Drop, lines: tuple[str, str]
) -> None:
    snapshot = liked(*lines).selected(rules)
    assert [row.turn_id for row in (*trained(snapshot), *held_out(snapshot))] == [kept]
    assert snapshot.dropped == {why: 1}


def test_turns_of_one_prompt_are_on_one_side_whatever_was_said() -> None:
    unseen, free = two_players()
    log = Log()
    log.said("unseen", player_id=unseen, player_text="What is left of the old bridge?")
    log.said("free", player_id=free, player_text="Good morning.")
    log.did("unseen", Thumb(True))
    log.did("free", Thumb(True))
    assert log.selected(HELD_OUT_OWNS).dropped == {Drop.PROMPT_HELD_OUT: 1}


def test_common_lines_are_shared_out_between_both_sides() -> None:
    unseen, free = two_players()
    log = Log()
    for number in range(100):
        for player in (unseen, free):
            log.line(f"{number}{player}", f"{number * 7919:08}", player_id=player)
            log.did(f"{number}{player}", Thumb(True))
    snapshot = log.selected(Rules(held_out_share=0.5, recent_share=0))
    lost = snapshot.dropped
    assert 30 < lost[Drop.PROMPT_TRAINED] < 70
    assert lost[Drop.PROMPT_TRAINED] + lost[Drop.PROMPT_HELD_OUT] == 100


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("name", ["held_out_share", "recent_share"])
def test_a_share_outside_zero_to_one_is_refused(name: str, share: float) -> None:
    with pytest.raises(ValueError, match=name):
        Rules(**{name: share})  # type: ignore[arg-type]  # a share is a float


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_pairs", 0), ("discount", 0.0), ("max_player_share", 1.1), ("scarce_player_share", 0.5)],
)
def test_a_rule_that_makes_no_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Rules(**{name: value})  # type: ignore[arg-type]  # some are counts
