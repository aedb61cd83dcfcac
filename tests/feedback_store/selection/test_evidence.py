"""What each reaction becomes, how much it weighs, and which of several counts."""

import pytest

from feedback_store.records import (
    Choice,
    Edit,
    Outcome,
    Payload,
    Rating,
    Reason,
    Sign,
    Signal,
    Thumb,
)
from feedback_store.selection.evidence import SIGNAL_WEIGHTS
from feedback_store.selection.lessons import Drop, Dropped, Labelled, Origin, Pair
from tests.support.feedback_log import OTHER, REPLY, TURN, Log


@pytest.fixture
def log() -> Log:
    """A log in which turns t1 and t2 answered the same line of ann's."""
    made = Log()
    made.said("t1")
    made.said("t2", OTHER, take=1, first_turn_id="t1")
    return made


@pytest.mark.parametrize("action", ["answered", "noted", "fell_back", "withheld"])
def test_what_the_guard_stopped_teaches_nothing(log: Log, action: str) -> None:
    log.said("t3", annotations={"guard": [{"rule": "injection", "action": action}]})
    log.did("t3", Thumb(up=True))
    log.did("t1", Choice(over_turn_ids=("t3",)))
    assert log.statements().rows == []
    assert reasons(log) == [Drop.GUARDED, Drop.GUARDED]


@pytest.mark.parametrize("action", ["retried", "cut"])
def test_what_it_let_through_is_the_models_own(log: Log, action: str) -> None:
    log.said("t3", annotations={"guard": [{"rule": "leak", "action": action}]})
    log.did("t3", Thumb(up=True))
    assert len(log.statements().rows) == 1


def reasons(log: Log) -> list[Drop]:
    """Why things are not taken, in no order of importance."""
    return [dropped.why for dropped in log.statements().dropped]


def test_an_edit_beats_the_reply(log: Log) -> None:
    log.did("t1", Edit("North, dear."))
    assert log.statements().rows == [
        Pair(
            prompt_ids=TURN.prompt_ids,
            chosen="North, dear.",
            rejected=REPLY,
            origin=Origin.EDIT,
            weight=1.0,
            player_id="ann",
            session_id="session of ann",
            turn_id="t1",
            player_text=TURN.player_text,
            messages=TURN.messages,
            event_id="e0",
        )
    ]


def test_a_kept_reply_beats_every_other_shown(log: Log) -> None:
    log.said("t3", "Ask the smith.")
    log.did("t2", Choice(("t1", "t3")))
    pairs = [row for row in log.statements().rows if isinstance(row, Pair)]
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [
        (OTHER, REPLY),
        (OTHER, "Ask the smith."),
    ]


def test_going_on_with_a_newer_take_weighs_less_than_going_back(log: Log) -> None:
    log.did("t2", Choice(("t1",)))
    (onward,) = log.statements().rows
    log.did("t1", Choice(("t2",)))
    (back,) = log.statements().rows
    assert (onward.weight, back.weight) == (0.7, 1.0)


def test_what_the_server_saw_is_weaker_than_a_choice(log: Log) -> None:
    log.guessed("t1", Choice(("t2",)))
    (row,) = log.statements().rows
    assert (row.origin, row.weight) == (Origin.WENT_ON, 0.7)


@pytest.mark.parametrize(
    ("payload", "desirable", "origin", "weight"),
    [
        (Thumb(True), True, Origin.THUMB, 0.7),
        (Thumb(False, (Reason.BORING,)), False, Origin.THUMB, 0.7),
        (Thumb(False, (Reason.BORING, Reason.OUT_OF_CHARACTER)), False, Origin.THUMB, 1.0),
        (Rating(5), True, Origin.RATING, 0.7),
        (Rating(4), True, Origin.RATING, 0.7),
        (Rating(2), False, Origin.RATING, 0.7),
        (Outcome(True, "bridge"), True, Origin.OUTCOME, 0.5),
        (Outcome(False, "bridge"), False, Origin.OUTCOME, 0.5),
        (Signal(Sign.REPHRASED), False, Origin.SIGNAL, 0.3),
        (Signal(Sign.CLOSED), False, Origin.SIGNAL, 0.2),
        (Signal(Sign.SILENT), False, Origin.SIGNAL, 0.1),
    ],
    ids=str,
)
def test_a_judgement_labels_the_reply(
    log: Log, payload: Payload, desirable: bool, origin: Origin, weight: float
) -> None:
    log.did("t1", payload)
    (row,) = log.statements().rows
    assert isinstance(row, Labelled)
    assert (row.completion, row.desirable, row.origin, row.weight) == (
        REPLY,
        desirable,
        origin,
        weight,
    )


def test_every_sign_of_a_whole_reply_but_lingering_is_weighed() -> None:
    assert set(Sign) - set(SIGNAL_WEIGHTS) == {Sign.LINGERED, Sign.ABANDONED}


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (Thumb(True), Thumb(False)),
        (Edit("Down the old road."), Edit("North.")),
        (Rating(1), Rating(5)),
    ],
    ids=["thumb", "edit", "rating"],
)
def test_the_last_word_on_a_turn_wins(log: Log, first: Payload, last: Payload) -> None:
    log.did("t1", first)
    log.did("t1", last)
    (row,) = log.statements().rows
    assert row.event_id == "e1"
    assert log.statements().dropped == [Dropped("e0", Drop.SUPERSEDED)]


def test_what_the_player_said_wins_over_what_the_server_saw_later(log: Log) -> None:
    log.did("t1", Choice(("t2",)))
    log.guessed("t2", Choice(("t1",)))
    assert [row.event_id for row in log.statements().rows] == ["e0"]
    assert reasons(log) == [Drop.SUPERSEDED]


def test_what_replaced_a_vote_that_is_undone_gives_way_to_it(log: Log) -> None:
    log.did("t1", Thumb(True))
    log.did("t1", Thumb(False), undone=True)
    assert [row.event_id for row in log.statements().rows] == ["e0"]
    assert reasons(log) == [Drop.UNDONE]


def test_one_label_a_reply_by_the_strongest_evidence(log: Log) -> None:
    log.guessed("t1", Signal(Sign.REPHRASED))
    log.did("t1", Outcome(False, "bridge"))
    log.did("t1", Thumb(True))
    assert [row.origin for row in log.statements().rows] == [Origin.THUMB]
    assert reasons(log) == [Drop.OUTWEIGHED, Drop.OUTWEIGHED]


def test_equally_strong_contradictions_are_a_tie(log: Log) -> None:
    log.did("t1", Thumb(True))
    log.did("t1", Rating(1))
    log.guessed("t1", Signal(Sign.SILENT))
    assert log.statements().rows == []
    assert sorted(reasons(log)) == [Drop.OUTWEIGHED, Drop.TIE, Drop.TIE]


def test_the_middle_of_the_stars_is_a_tie_and_blocks_nothing(log: Log) -> None:
    log.did("t1", Rating(3))
    log.did("t1", Thumb(True))
    assert [row.origin for row in log.statements().rows] == [Origin.THUMB]
    assert reasons(log) == [Drop.TIE]


def test_outcomes_of_different_goals_do_not_replace_each_other(log: Log) -> None:
    log.did("t1", Outcome(True, "bridge"))
    log.did("t1", Outcome(False, "sword"))
    assert reasons(log) == [Drop.TIE, Drop.TIE]


def test_how_a_session_or_a_stay_went_is_for_evaluation_only(log: Log) -> None:
    log.did("", Outcome(True, "bridge"), session_id="session of ann")
    log.did("t1", Signal(Sign.LINGERED))
    assert log.statements().rows == []
    assert reasons(log) == [Drop.EVALUATION_ONLY, Drop.EVALUATION_ONLY]


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"consent": False}, Drop.NO_CONSENT), ({"rolled_back": True}, Drop.ROLLED_BACK)],
    ids=["consent", "rolled back"],
)
def test_a_turn_kept_apart_teaches_nothing(log: Log, changes: dict[str, bool], why: Drop) -> None:
    log.said("t3", "Ask the smith.", **changes)
    log.did("t3", Thumb(True))
    log.did("t1", Choice(("t3",)))
    assert log.statements().rows == []
    assert reasons(log) == [why, why]


def test_a_choice_across_prompts_is_dropped(log: Log) -> None:
    log.said("t3", prompt_ids=(9,))
    log.did("t1", Choice(("t3",)))
    assert reasons(log) == [Drop.OTHER_PROMPT]


def test_an_unknown_turn_is_dropped(log: Log) -> None:
    log.did("nowhere", Thumb(True))
    log.did("t1", Choice(("nowhere",)))
    assert reasons(log) == [Drop.UNKNOWN_TURN, Drop.UNKNOWN_TURN]


@pytest.mark.parametrize(
    "praise", [Thumb(True), Rating(5), Choice(("t1",))], ids=["thumb", "rating", "choice"]
)
def test_praise_for_a_reply_that_was_cut_short_is_dropped(log: Log, praise: Payload) -> None:
    log.said("t3", "Follow the", finish_reason="length")
    log.did("t3", praise)
    assert log.statements().rows == []
    assert reasons(log) == [Drop.CUT_SHORT]


@pytest.mark.parametrize("reason", ["cancelled", "failed"])
def test_a_reply_that_was_broken_off_is_no_evidence_by_itself(log: Log, reason: str) -> None:
    log.said("t3", "Follow the", finish_reason=reason)
    log.guessed("t3", Signal(Sign.ABANDONED))
    log.did("t3", Signal(Sign.SKIPPED))
    log.did("t3", Outcome(False, "bridge"))
    log.did("t1", Choice(("t3",)))
    log.did("t3", Choice(("t1",)))
    assert log.statements().rows == []
    assert reasons(log) == [Drop.EVALUATION_ONLY, *4 * [Drop.INTERRUPTED]]


@pytest.mark.parametrize("reason", ["cancelled", "failed"])
def test_of_a_reply_that_was_broken_off_nothing_is_learned_but_what_its_player_says(
    log: Log, reason: str
) -> None:
    log.said("t3", "Follow the", finish_reason=reason)
    log.did("t3", Thumb(True))
    assert reasons(log) == [Drop.CUT_SHORT]
    log.did("t3", Edit("North."))
    log.did("t3", Thumb(False))
    assert len(log.statements().rows) == 2


def test_a_reply_that_was_cut_short_may_be_bettered(log: Log) -> None:
    log.said("t3", "Follow the", finish_reason="length")
    log.did("t3", Thumb(False))
    log.did("t3", Edit("North."))
    assert len(log.statements().rows) == 2
