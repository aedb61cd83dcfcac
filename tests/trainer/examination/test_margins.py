"""Held-out preference by log-probability."""

from pathlib import Path

import pytest
import torch

from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from tests.support.rows import pairs, thumbs
from tests.support.watching import ignore
from trainer.examination.margins import (
    held_out_label_margins,
    held_out_margins,
    label_margins,
    reply_log_probs,
)
from trainer.lora import load_base
from trainer.progress import Progress


def test_a_trained_candidate_prefers_what_unseen_rows_chose(
    base_dir: Path, adapter: Path, tokenizer: Vocab
) -> None:
    unseen = pairs(14, tokenizer)[8:]
    margins = held_out_margins(base_dir, None, adapter, unseen, tokenizer, ignore)
    assert [margin.player_id for margin in margins] == [row.player_id for row in unseen]
    assert all(margin.value > 0 for margin in margins)


def test_a_candidate_equal_to_the_incumbent_has_no_margin(
    base_dir: Path, adapter: Path, tokenizer: Vocab
) -> None:
    margins = held_out_margins(base_dir, adapter, adapter, pairs(3, tokenizer), tokenizer, ignore)
    assert [margin.value for margin in margins] == [0, 0, 0]


def test_progress_counts_both_voices(base_dir: Path, adapter: Path, tokenizer: Vocab) -> None:
    seen: list[Progress] = []
    held_out_margins(base_dir, None, adapter, pairs(6, tokenizer), tokenizer, seen.append)
    assert [(at.step, at.total_steps) for at in seen] == [(12, 24), (24, 24)]


def test_log_probs_are_those_of_the_whole_sequence(base_dir: Path, tokenizer: Vocab) -> None:
    model = load_base(base_dir)
    replies = [(row.prompt_ids, reply_ids(row.rejected, tokenizer)) for row in pairs(3, tokenizer)]
    expected = []
    for prompt, reply in replies:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([[*prompt, *reply]])).logits[0, :-1]
        chances = logits.log_softmax(-1)[len(prompt) - 1 :]
        expected.append(float(chances[range(len(reply)), reply].sum()))
    assert reply_log_probs(model, replies, lambda _: None) == pytest.approx(expected, abs=1e-3)


def test_labels_are_compared_with_the_other_kind(tokenizer: Vocab) -> None:
    margins = label_margins(thumbs(2, 2, tokenizer), [3.0, 1.0, -1.0, 0.0])
    assert [margin.value for margin in margins] == [3.5, 1.5, 3.0, 2.0]


def test_labels_of_one_kind_give_no_margins(
    base_dir: Path, adapter: Path, tokenizer: Vocab
) -> None:
    rows = thumbs(3, 0, tokenizer)
    assert held_out_label_margins(base_dir, None, adapter, rows, tokenizer, ignore) == ()
