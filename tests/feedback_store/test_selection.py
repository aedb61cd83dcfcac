"""Which rows teach what: each rule, and that the same feedback always makes the same snapshot."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from feedback_store.records import Choice, Edit, Event, Payload, Thumb, Turn
from feedback_store.selection import (
    Drop,
    Labelled,
    Pair,
    Snapshot,
    Source,
    is_held_out,
    normalised,
    select,
)

REPLY = "Past the mill, dear."
OTHER = "Follow the river north."


class Log:
    """Turns and events as they pile up, each a second after the one before."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._seconds = count()
        self.turns: list[Turn] = []
        self.events: list[Event] = []

    def said(self, turn_id: str, reply: str = REPLY, **changes: Any) -> None:
        """A turn; by default it answers the same line and is a take of its own."""
        made = replace(self._turn, turn_id=turn_id, reply_text=reply, first_turn_id=turn_id)
        self.turns.append(replace(made, **changes))

    def did(self, turn_id: str, payload: Payload, player_id: str = "ann") -> None:
        """A reaction, later than those before."""
        second = next(self._seconds)
        at = self._turn.created_at + timedelta(seconds=second)
        self.events.append(Event(f"e{second}", turn_id, player_id, payload, at))

    def selected(self, held_out_share: float = 0.0) -> Snapshot:
        """The snapshot of what piled up."""
        return select("mira", self.turns, self.events, held_out_share)


@pytest.fixture
def log(turn: Turn) -> Log:
    """A log in which turn t1 answered REPLY."""
    made = Log(turn)
    made.said("t1")
    return made


def test_an_edit_beats_the_reply(log: Log, turn: Turn) -> None:
    log.did("t1", Edit(OTHER))
    (pair,) = log.selected().train_pairs
    assert pair == Pair(
        prompt_ids=turn.prompt_ids,
        chosen=OTHER,
        rejected=REPLY,
        source=Source.EDIT,
        weight=1.0,
        player_id="ann",
        session_id="s1",
        turn_id="t1",
        player_text=turn.player_text,
        messages=turn.messages,
    )


def test_a_kept_reply_beats_every_other_shown(log: Log) -> None:
    log.said("t2", OTHER)
    log.said("t3", "Ask the smith, he knows.")
    log.did("t2", Choice(("t1", "t3")))
    pairs = log.selected().train_pairs
    assert {(pair.chosen, pair.source) for pair in pairs} == {(OTHER, Source.CHOICE)}
    assert {pair.rejected for pair in pairs} == {REPLY, "Ask the smith, he knows."}


def test_a_thumb_labels_the_reply(log: Log, turn: Turn) -> None:
    log.did("t1", Thumb(False))
    assert log.selected().train_labels == (
        Labelled(turn.prompt_ids, REPLY, False, "ann", "s1", "t1", turn.player_text, turn.messages),
    )


@pytest.mark.parametrize(
    ("first", "last"),
    [(Thumb(True), Thumb(False)), (Edit("Down the old road, then."), Edit(OTHER))],
    ids=["thumb", "edit"],
)
def test_the_last_word_on_a_turn_wins(log: Log, first: Payload, last: Payload) -> None:
    log.did("t1", first)
    log.did("t1", last)
    only_last = Log(log.turns[0])
    only_last.said("t1")
    only_last.did("t1", last)
    assert log.selected().hash == only_last.selected().hash
    assert log.selected().dropped == {Drop.SUPERSEDED: 1}


def test_a_choice_taken_back_does_not_teach_both_ways(log: Log) -> None:
    log.said("t2", OTHER)
    log.did("t1", Choice(("t2",)))
    log.did("t2", Choice(("t1",)))
    assert [pair.chosen for pair in log.selected().train_pairs] == [OTHER]


def test_going_on_with_a_newer_take_weighs_less_than_going_back(log: Log) -> None:
    log.said("t2", OTHER, take=1, first_turn_id="t1")
    log.did("t2", Choice(("t1",)))
    (onward,) = log.selected().train_pairs
    log.did("t1", Choice(("t2",)))
    (back,) = log.selected().train_pairs
    assert (onward.weight, back.weight) == (0.7, 1.0)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ("  PAST the mill,\ndear.", Drop.EQUAL),
        ("Past the mill, dearr.", Drop.NEAR_EQUAL),
        (" \t", Drop.EMPTY_CHOSEN),
    ],
    ids=lambda value: str(value) if isinstance(value, Drop) else "",
)
def test_an_edit_that_teaches_nothing_is_dropped(log: Log, edit: str, reason: Drop) -> None:
    log.did("t1", Edit(edit))
    assert log.selected().train_pairs == ()
    assert log.selected().dropped == {reason: 1}


def test_an_edit_may_cut_as_much_as_it_likes(log: Log) -> None:
    log.turns = [replace(log.turns[0], reply_text=REPLY * 40)]
    log.did("t1", Edit("No."))
    assert len(log.selected().train_pairs) == 1


@pytest.mark.parametrize("other", ["", "No.", OTHER * 4], ids=["empty", "shorter", "longer"])
def test_a_choice_among_very_different_lengths_is_dropped(log: Log, other: str) -> None:
    log.said("t2", other)
    log.did("t1", Choice(("t2",)))
    assert log.selected().dropped == {Drop.LENGTH_RATIO: 1}


def test_a_choice_across_prompts_is_dropped(log: Log) -> None:
    log.said("t2", OTHER, prompt_ids=(9,))
    log.did("t1", Choice(("t2",)))
    assert log.selected().dropped == {Drop.OTHER_PROMPT: 1}


def test_an_event_about_another_character_s_turn_is_dropped(log: Log) -> None:
    log.said("t2", character="bram")
    log.did("t2", Thumb(True))
    log.did("nowhere", Thumb(True))
    assert log.selected().dropped == {Drop.UNKNOWN_TURN: 2}


@pytest.mark.parametrize("praise", [Thumb(up=True), Choice(("t2",))], ids=["thumb", "choice"])
def test_praise_for_a_reply_that_was_cut_short_is_dropped(log: Log, praise: Payload) -> None:
    log.said("t1", finish_reason="length")
    log.said("t2", OTHER)
    log.did("t1", praise)
    selected = log.selected()
    assert selected.dropped == {Drop.CUT_SHORT: 1}
    assert (selected.train_pairs, selected.train_labels) == ((), ())


def test_a_reply_that_was_cut_short_may_be_bettered(log: Log) -> None:
    log.said("t1", finish_reason="length")
    log.did("t1", Thumb(up=False))
    log.did("t1", Edit("North, stranger."))
    selected = log.selected()
    assert (len(selected.train_pairs), len(selected.train_labels)) == (1, 1)


def test_a_thumb_on_silence_is_dropped(log: Log) -> None:
    log.said("t2", " ")
    log.did("t2", Thumb(False))
    assert log.selected().dropped == {Drop.EMPTY_CHOSEN: 1}


def test_an_equal_row_counts_once(log: Log) -> None:
    log.said("t2", REPLY.upper(), session_id="s2", player_id="bob")
    for turn_id, player_id in (("t1", "ann"), ("t2", "bob")):
        log.did(turn_id, Thumb(True), player_id)
        log.did(turn_id, Edit(OTHER), player_id)
    snapshot = log.selected()
    assert (len(snapshot.train_labels), len(snapshot.train_pairs)) == (1, 1)
    assert snapshot.dropped == {Drop.DUPLICATE: 2}
    assert snapshot.players == ("ann",)


def test_what_a_held_out_player_said_is_not_trained_on(log: Log) -> None:
    held_out, free = _two_players(0.5)
    log.said("t2", player_text="Hello  THERE", prompt_ids=(4,))
    log.said("t3", player_text="hello there", prompt_ids=(5,))
    log.did("t2", Thumb(True), held_out)
    log.did("t3", Edit(OTHER), free)
    log.did("t1", Thumb(True), free)
    snapshot = log.selected(0.5)
    assert [row.turn_id for row in snapshot.held_out_labels] == ["t2"]
    assert [row.turn_id for row in snapshot.train_labels] == ["t1"]
    assert snapshot.dropped == {Drop.PROMPT_HELD_OUT: 1}


def test_a_player_stays_held_out_as_others_come(turn: Turn) -> None:
    few, many = _busy_log(turn, players=20), _busy_log(turn, players=60)
    later = _players(many.selected(0.3).train_pairs)
    assert not _players(few.selected(0.3).held_out_pairs) & later


def test_about_the_asked_share_of_players_is_held_out() -> None:
    held_out = sum(is_held_out(f"player{number}", 0.2) for number in range(5000))
    assert 900 < held_out < 1100


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(log: Log, share: float) -> None:
    with pytest.raises(ValueError, match="held_out_share"):
        log.selected(share)


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_the_same_feedback_is_the_same_snapshot(turn: Turn, seed: int) -> None:
    log = _busy_log(turn, players=30)
    expected = log.selected(0.3)
    random.Random(seed).shuffle(log.turns)
    random.Random(seed + 1).shuffle(log.events)
    assert log.selected(0.3) == expected


def test_rows_are_ordered_by_what_they_say_not_when(turn: Turn) -> None:
    forth, back = Log(turn), Log(turn)
    numbers = range(10)
    for log, order in ((forth, numbers), (back, reversed(numbers))):
        for number in order:
            log.said(f"t{number}", prompt_ids=(number,))
            log.did(f"t{number}", Thumb(True))
    assert forth.selected() == back.selected()


def test_other_feedback_is_another_snapshot(log: Log) -> None:
    log.did("t1", Thumb(True))
    before = log.selected().hash
    log.did("t1", Thumb(False))
    assert log.selected().hash != before


@pytest.mark.parametrize("seed", range(8))
def test_held_out_players_and_lines_are_never_trained_on(turn: Turn, seed: int) -> None:
    snapshot = _busy_log(turn, players=40, seed=seed).selected(0.3)
    trained: Sequence[Pair | Labelled] = (*snapshot.train_pairs, *snapshot.train_labels)
    unseen: Sequence[Pair | Labelled] = (*snapshot.held_out_pairs, *snapshot.held_out_labels)
    assert trained
    assert unseen
    assert not _players(trained) & _players(unseen)
    assert not _lines(trained) & _lines(unseen)
    assert set(snapshot.players) == _players(trained)


@pytest.mark.parametrize("seed", range(4))
def test_every_claim_is_taken_or_counted(turn: Turn, seed: int) -> None:
    log = _busy_log(turn, players=40, seed=seed)
    snapshot = log.selected(0.3)
    pairs = (*snapshot.train_pairs, *snapshot.held_out_pairs)
    labels = (*snapshot.train_labels, *snapshot.held_out_labels)
    assert len(pairs) + len(labels) + sum(snapshot.dropped.values()) == len(log.events)


def _busy_log(turn: Turn, players: int, seed: int = 0) -> Log:
    """Many players, few lines and replies, so that every rule meets some of them."""
    chance = random.Random(seed)
    log = Log(turn)
    replies = [REPLY, OTHER, "No.", "", REPLY.upper(), "Ask the smith, he knows the way."]
    for number in range(players):
        player, line = f"player{number}", chance.randrange(40)
        for take in (0, 1):
            log.said(
                f"{number}.{take}",
                chance.choice(replies),
                player_id=player,
                player_text=f"Line {line}",
                prompt_ids=(line,),
                take=take,
                first_turn_id=f"{number}.0",
            )
        choices: list[Payload] = [Choice((f"{number}.0",)), Thumb(True), Thumb(False), Edit(OTHER)]
        for payload in chance.choices(choices, k=4):
            log.did(f"{number}.1", payload, player)
    return log


def _two_players(share: float) -> tuple[str, str]:
    """One player who is held out at this share, and one who is not."""
    players = [f"player{number}" for number in range(100)]
    held_out = next(player for player in players if is_held_out(player, share))
    return held_out, next(player for player in players if not is_held_out(player, share))


def _players(rows: Sequence[Pair | Labelled]) -> set[str]:
    return {row.player_id for row in rows}


def _lines(rows: Sequence[Pair | Labelled]) -> set[str]:
    return {normalised(row.player_text) for row in rows}
