"""Which earlier replies are taught again, and how many."""

from dataclasses import replace

import pytest

from feedback_store.selection import Origin, Snapshot
from npc_server.engine.vocab import Vocab
from tests.support.rows import edited, labelled, pair, snapshot
from trainer.methods.general_chat import load, render
from trainer.rows.replay import counts, liked_replies, rows_of


def texts(feedback: Snapshot) -> list[str]:
    return [row.completion for row in liked_replies(feedback)]


def test_liked_replies_and_chosen_sides_are_replayed(tokenizer: Vocab) -> None:
    chosen = replace(pair(1, tokenizer), origin=Origin.CHOICE)
    thumb = labelled(2, desirable=True, tokenizer=tokenizer)
    feedback = replace(snapshot(tokenizer), train_pairs=(chosen,), train_labels=(thumb,))
    assert sorted(texts(feedback)) == sorted([chosen.chosen, thumb.completion])


def test_edits_are_learned_and_not_replayed(tokenizer: Vocab) -> None:
    feedback = snapshot(tokenizer, pairs=3, edits=3)  # pairs of edits
    assert texts(feedback) == []
    assert rows_of(feedback).edits == feedback.train_edits


def test_a_liked_reply_that_is_an_edit_already_is_not_replayed(tokenizer: Vocab) -> None:
    thumb = labelled(1, desirable=True, tokenizer=tokenizer)
    edit = replace(edited(1, tokenizer), completion=thumb.completion.upper())
    feedback = replace(snapshot(tokenizer), train_labels=(thumb,), train_edits=(edit,))
    assert texts(feedback) == []


def test_a_liked_reply_that_somebody_rewrote_is_not_replayed(tokenizer: Vocab) -> None:
    rewritten = pair(1, tokenizer)
    thumb = replace(labelled(1, desirable=True, tokenizer=tokenizer), completion=rewritten.rejected)
    feedback = replace(snapshot(tokenizer), train_labels=(thumb,), train_pairs=(rewritten,))
    assert texts(feedback) == []


def test_a_reply_that_another_player_disliked_is_not_replayed(tokenizer: Vocab) -> None:
    good = labelled(1, desirable=True, tokenizer=tokenizer)
    bad = replace(good, desirable=False, player_id="another")
    assert texts(replace(snapshot(tokenizer), train_labels=(good, bad))) == []


def test_a_reply_is_replayed_once_as_far_as_it_is_trusted_most(tokenizer: Vocab) -> None:
    weak = replace(labelled(1, desirable=True, tokenizer=tokenizer), weight=0.2)
    strong = replace(weak, weight=0.9, player_id="another")
    (kept,) = liked_replies(replace(snapshot(tokenizer), train_labels=(weak, strong)))
    assert kept.weight == 0.9


def test_the_most_trusted_come_first_and_equals_keep_their_order(tokenizer: Vocab) -> None:
    weights = (0.3, 0.7, 0.3, 1.0)
    rows = tuple(
        replace(labelled(index, desirable=True, tokenizer=tokenizer), weight=weight)
        for index, weight in enumerate(weights)
    )
    feedback = replace(snapshot(tokenizer), train_labels=rows)
    assert texts(feedback) == [rows[index].completion for index in (3, 1, 0, 2)]


def test_held_out_rows_are_not_replayed(tokenizer: Vocab) -> None:
    assert texts(snapshot(tokenizer, held_out_pairs=4, held_out_thumbs=8)) == []


@pytest.mark.parametrize(
    ("own", "shares", "expected"),
    [(60, (0.2, 0.2), (20, 20)), (50, (0.25, 0.0, 0.25), (25, 0, 25)), (7, (), ())],
    ids=["two kinds", "one absent", "alone"],
)
def test_shares_are_of_all_rows(
    own: int, shares: tuple[float, ...], expected: tuple[int, ...]
) -> None:
    assert counts(own, shares) == expected


def test_general_chat_is_forty_short_exchanges_without_a_persona(tokenizer: Vocab) -> None:
    chat = load()
    assert len(chat.exchanges) >= 40
    assert len({exchange.ask for exchange in chat.exchanges}) == len(chat.exchanges)
    assert max(len(exchange.reply.split()) for exchange in chat.exchanges) <= 20
    assert all(row.reply[-1] == tokenizer.control("<|im_end|>") for row in render(chat, tokenizer))
