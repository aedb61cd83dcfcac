"""What holds for any feedback: nothing leaks, nobody writes alone, nothing gets lost.

The feedback is of two sorts: a little, with every oddity; and that of a crowd, which judges the
same few replies over and over, so that the rules about many players meet their cases.
"""

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_store.records import (
    Choice,
    Edit,
    Event,
    Outcome,
    Payload,
    Rating,
    Reason,
    Sign,
    Signal,
    Source,
    Thumb,
    Turn,
)
from feedback_store.selection import Snapshot, is_held_out, select
from feedback_store.selection.lessons import Labelled, Pair
from feedback_store.selection.near_text import line_key, neighbours, normalised
from feedback_store.selection.player_caps import player_share
from feedback_store.selection.rules import Rules
from tests.support.feedback_log import TURN, held_out, players, trained
from tests.support.turns import NOON

RULES = Rules(held_out_share=0.3, recent_share=0.3, max_pairs=3, max_repeats=1, min_shared_items=1)
LONG = "the tide took the old bridge last winter and nobody has built another since"
LINES = [
    "Hello",
    "hello!",
    "",
    "...",
    LONG,
    f"{LONG} now",
    f"why, {LONG}",
    "Who made this?",
    "x" * 2000,
]
REPLIES = [
    "",
    "Aye.",
    "No.",
    LONG,
    f"{LONG}.",
    LONG.upper(),
    "Past the mill, dear.",
    "North. " * 30,
]

quick = settings(max_examples=120, deadline=None)
seconds = st.integers(0, 50).map(lambda second: _at(second))
any_text = st.one_of(st.sampled_from(REPLIES), st.text(max_size=40))
Feedback = tuple[list[Turn], list[Event]]


@st.composite
def turns(draw: st.DrawFn) -> list[Turn]:
    """Turns of a few players, two sessions each, some of them takes on one prompt."""
    made: list[Turn] = []
    for number in range(draw(st.integers(1, 16))):
        player, line = f"player{draw(st.integers(0, 7))}", draw(st.sampled_from(LINES))
        made.append(
            replace(
                TURN,
                turn_id=f"t{number}",
                player_id=player,
                session_id=f"{player}/{draw(st.integers(0, 1))}",
                player_text=line,
                prompt_ids=(draw(st.integers(0, 1)), LINES.index(line) // 2),
                reply_text=draw(any_text),
                take=draw(st.integers(0, 2)),
                first_turn_id="t0",
                finish_reason=draw(st.sampled_from(["stop", "stop", "stop", "length"])),
                created_at=draw(seconds),
                consent=draw(st.integers(0, 9)) > 0,
                rolled_back=draw(st.integers(0, 9)) == 0,
            )
        )
    return made


payloads: st.SearchStrategy[Payload] = st.one_of(
    st.builds(Thumb, st.booleans(), st.sampled_from([(), (Reason.OUT_OF_CHARACTER,)])),
    st.builds(Thumb, st.booleans()),
    st.builds(Edit, any_text),
    st.builds(Choice, st.lists(st.integers(0, 17).map("t{}".format), max_size=3).map(tuple)),
    st.builds(Rating, st.integers(1, 5)),
    st.builds(Outcome, st.booleans(), st.sampled_from(["bridge", "sword"])),
    st.builds(Signal, st.sampled_from(Sign)),
)


def crowd(seed: int) -> Feedback:
    """Many votes, corrections and choices on few replies; player0 likes what the others do not."""
    chance, said, events = random.Random(seed), list[Turn](), list[Event]()
    for number in range(90):
        player, line, reply = f"player{chance.randrange(8)}", chance.choice(LINES), number % 4
        turn = replace(TURN, turn_id=f"t{number}", player_id=player, player_text=line)
        turn = replace(turn, prompt_ids=(LINES.index(line),), reply_text=REPLIES[reply + 1] * 2)
        said.append(replace(turn, session_id=f"{player}/{number // 30}", created_at=_at(number)))
        payload: Payload = Thumb((reply < 2) != (player == "player0" or chance.random() < 0.1))
        if chance.random() < 0.3:
            payload = Edit(chance.choice(["Follow the river, dear", "Aye, stranger", LONG]) + "!")
        about = (turn.turn_id, said[-1].session_id, player)
        events.append(Event(f"e{number}", *about, payload, _at(number)))
    return said, events


def _at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


@st.composite
def little(draw: st.DrawFn) -> Feedback:
    """Turns, and events about most of them; some point nowhere, or at a session."""
    said = draw(turns())
    about = {turn.turn_id: turn for turn in said}
    targets = st.sampled_from([*about, *about, "nowhere", ""])
    events = []
    for number in range(draw(st.integers(0, 30))):
        turn = about.get(turn_id := draw(targets), said[0])
        payload = draw(payloads) if turn_id else Outcome(True, "bridge")
        source = draw(st.sampled_from([Source.EXPLICIT, Source.EXPLICIT, Source.DERIVED]))
        event = Event(
            f"e{number}", turn_id, turn.session_id, turn.player_id, payload, draw(seconds), source
        )
        events.append(replace(event, undone=draw(st.integers(0, 9)) == 0))
    return said, events


def feedback() -> st.SearchStrategy[Feedback]:
    """Either sort."""
    return st.one_of(little(), st.integers(0, 2**32).map(crowd))


def selected(given_feedback: Feedback) -> Snapshot:
    """What is taken of it."""
    return select("mira", *given_feedback, RULES)


@given(feedback(), st.randoms(use_true_random=False))
@quick
def test_any_order_gives_the_same_snapshot(given_feedback: Feedback, chance: random.Random) -> None:
    said, events = ([*part] for part in given_feedback)
    chance.shuffle(said)
    chance.shuffle(events)
    assert select("mira", said, events, RULES) == selected(given_feedback)


@given(feedback())
@quick
def test_no_session_player_or_prompt_is_on_both_sides(given_feedback: Feedback) -> None:
    snapshot = selected(given_feedback)
    ours, theirs = trained(snapshot), held_out(snapshot)
    assert not {row.session_id for row in ours} & {row.session_id for row in theirs}
    assert not {row.prompt_ids for row in ours} & {row.prompt_ids for row in theirs}
    assert not any(is_held_out(player, RULES.held_out_share) for player in snapshot.players)
    assert all(row.held_out_by is None for row in ours)
    assert all(row.held_out_by is not None for row in theirs)


@given(feedback())
@quick
def test_no_held_out_line_is_trained_on_not_even_a_near_duplicate(given_feedback: Feedback) -> None:
    snapshot = selected(given_feedback)
    ours, theirs = (
        {line_key(row.player_text) for row in rows(snapshot)} for rows in (trained, held_out)
    )
    assert neighbours(ours, theirs) == []


@given(feedback())
@quick
def test_no_player_has_more_than_a_share(given_feedback: Feedback) -> None:
    snapshot = selected(given_feedback)
    for rows in (snapshot.train_pairs, snapshot.train_labels, snapshot.train_edits):
        most = max(Counter(row.player_id for row in rows).values(), default=0)
        # Players who lost all they had do not make the others' share larger.
        assert most <= max(1, player_share(len(players(rows)), RULES) * len(rows))
    assert max(Counter(row.player_id for row in snapshot.train_pairs).values(), default=0) <= 3


@given(feedback())
@quick
def test_what_was_taken_back_rolled_back_or_kept_private_teaches_nothing(
    given_feedback: Feedback,
) -> None:
    said, events = given_feedback
    apart = {turn.turn_id for turn in said if turn.rolled_back or not turn.consent}
    counted = [event for event in events if not event.undone and event.turn_id not in apart]
    usable = [turn for turn in said if turn.turn_id not in apart]
    without = select("mira", usable, counted, RULES)
    assert without.hash == selected(given_feedback).hash


@given(feedback())
@quick
def test_every_event_is_used_or_left_out_for_a_reason(given_feedback: Feedback) -> None:
    snapshot = selected(given_feedback)
    used = {row.event_id for row in (*trained(snapshot), *held_out(snapshot))}
    assert used | set(snapshot.left_out) == {event.event_id for event in given_feedback[1]}
    assert not used & set(snapshot.left_out)
    assert set(snapshot.left_out.values()) <= set(snapshot.dropped)


@given(feedback())
@quick
def test_every_row_can_teach_and_is_there_once(given_feedback: Feedback) -> None:
    snapshot = selected(given_feedback)
    rows = (*trained(snapshot), *held_out(snapshot))
    assert all(0 < row.weight <= 1 for row in rows)
    for row in rows:
        match row:
            case Pair(chosen=chosen, rejected=rejected):
                assert normalised(chosen) not in ("", normalised(rejected))
            case Labelled(completion=completion):
                assert normalised(completion)
    assert len({row.hash for row in rows}) == len(rows)


@given(st.lists(st.sampled_from(LINES), max_size=8), st.lists(st.sampled_from(LINES), max_size=8))
@quick
def test_neighbours_are_the_same_seen_from_either_side(one: list[str], other: list[str]) -> None:
    ours, theirs = ({line_key(text) for text in texts} for texts in (one, other))
    swapped = {(ours_line, theirs_line) for theirs_line, ours_line in neighbours(theirs, ours)}
    assert set(neighbours(ours, theirs)) == swapped
    assert swapped <= set(product(ours, theirs))
