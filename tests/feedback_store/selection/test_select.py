"""A snapshot is named by what it teaches, and by nothing else."""

import random
from dataclasses import replace

import pytest

from feedback_store.records import Edit, Thumb
from feedback_store.selection import Edited, changed
from feedback_store.selection.lessons import Drop
from feedback_store.selection.likeness import RowT
from feedback_store.selection.rules import Rules
from tests.support.feedback_log import OTHER, REPLY, TURN, Log, trained


@pytest.fixture
def log() -> Log:
    """A log in which turn t1 answered REPLY."""
    made = Log()
    made.said("t1")
    return made


def test_other_feedback_is_another_snapshot(log: Log) -> None:
    log.did("t1", Thumb(True))
    before = log.selected().hash
    log.did("t1", Thumb(False))
    assert log.selected().hash != before


def test_what_was_replaced_leaves_no_trace_but_a_count(log: Log) -> None:
    log.did("t1", Thumb(True))
    log.did("t1", Thumb(False))
    only_last = Log()
    only_last.said("t1")
    only_last.did("t1", Thumb(False))
    assert log.selected().hash == only_last.selected().hash
    assert log.selected().dropped == {Drop.SUPERSEDED: 1}


def test_the_rules_are_part_of_the_name(log: Log) -> None:
    log.did("t1", Thumb(True))
    stricter = Rules(held_out_share=0, recent_share=0, max_pairs=19)
    assert log.selected(stricter).hash != log.selected().hash


def test_a_weight_is_part_of_the_name(log: Log) -> None:
    log.did("t1", Edit(OTHER))
    (pair,) = log.selected().train_pairs
    assert replace(pair, weight=0.2).hash != pair.hash


def test_rows_are_ordered_by_what_they_say_not_when() -> None:
    forth, back = Log(), Log()
    for log, order in ((forth, range(10)), (back, range(9, -1, -1))):
        for number in order:
            log.line(f"t{number}", f"{number * 7919:08}")
            log.did(f"t{number}", Thumb(True))
    assert forth.selected().hash == back.selected().hash
    turn_ids = [[row.turn_id for row in log.selected().train_labels] for log in (forth, back)]
    assert turn_ids[0] == turn_ids[1]


def test_other_characters_are_left_alone(log: Log) -> None:
    log.said("t2", character="bram")
    log.did("t2", Thumb(True))
    assert log.selected().dropped == {Drop.UNKNOWN_TURN: 1}


def test_an_edit_is_also_text_to_learn_by_heart(log: Log) -> None:
    log.did("t1", Edit(OTHER))
    assert log.selected().train_edits == (
        Edited(
            prompt_ids=TURN.prompt_ids,
            completion=OTHER,
            weight=1.0,
            player_id="ann",
            session_id="session of ann",
            turn_id="t1",
            player_text=TURN.player_text,
            messages=TURN.messages,
            event_id="e0",
        ),
    )


def test_a_correction_that_fits_two_replies_is_learned_once(log: Log) -> None:
    log.said("t2", "Ask at the quay, they know.")
    log.did("t1", Edit(OTHER))
    log.did("t2", Edit(OTHER))
    snapshot = log.selected()
    assert (len(snapshot.train_pairs), len(snapshot.train_edits)) == (2, 1)
    assert snapshot.left_out == {}


def test_players_are_those_who_are_trained_on(log: Log) -> None:
    log.said("t2", OTHER, player_id="bob")
    log.said("t3", REPLY, player_id="cat")
    log.did("t1", Thumb(True))
    log.did("t2", Edit(REPLY * 2))
    log.did("t3", Thumb(True), undone=True)
    assert log.selected().players == ("ann", "bob")


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_the_same_feedback_is_the_same_snapshot(seed: int) -> None:
    log, chance = busy(players=30), random.Random(seed)
    expected = log.selected(Rules())
    log.turns = dict(chance.sample(list(log.turns.items()), len(log.turns)))
    chance.shuffle(log.events)
    assert log.selected(Rules()) == expected


def test_a_player_stays_held_out_as_others_come() -> None:
    rules = Rules(held_out_share=0.3, recent_share=0)
    later = set(busy(players=60).selected(rules).players)
    earlier = busy(players=20).selected(rules)
    assert not {row.player_id for row in earlier.held_out_labels} & later


def test_changed_rows_are_another_snapshot_with_their_prompts(log: Log) -> None:
    def longer(row: RowT) -> RowT:
        return replace(row, prompt_ids=(*row.prompt_ids, 4))

    log.did("t1", Edit(OTHER))
    before = log.selected()
    after = changed(before, longer)
    assert {row.prompt_ids for row in (*trained(after), *after.train_prompts)} == {(1, 2, 3, 4)}
    assert after.hash != before.hash
    assert changed(log.selected(), longer) == after


def test_rows_that_stay_as_they_are_keep_the_name(log: Log) -> None:
    def same(row: RowT) -> RowT:
        return row

    log.did("t1", Edit(OTHER))
    before = log.selected()
    assert changed(before, same) is before


def test_a_row_that_is_left_out_takes_its_prompt_along(log: Log) -> None:
    def nothing(row: RowT) -> None:
        return None

    log.did("t1", Edit(OTHER))
    after = changed(log.selected(), nothing)
    assert (trained(after), after.train_prompts, after.players) == ((), (), ())


def busy(players: int) -> Log:
    """Many players, few lines and replies."""
    chance, log = random.Random(1), Log()
    replies = [REPLY, OTHER, "No.", "", REPLY.upper(), "Ask the smith, he knows the way."]
    for number in range(players):
        turn_id, line = f"t{number}", f"{chance.randrange(20) * 7919:08}"
        log.line(turn_id, line, chance.choice(replies), player_id=f"player{number}")
        log.did(turn_id, Thumb(chance.random() < 0.5))
        log.did(turn_id, Edit(chance.choice(replies)))
    return log
