"""Scores of a batch are those of its rows alone, and teach the same."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from personas.reward_heads import Word
from tests.support.rows import pairs
from trainer.forward import last_hidden
from trainer.heads.head_scores import score, score_replies
from trainer.lora import load_base
from trainer.progress import Progress
from trainer.rows.datasets import Ids

WORDS = Word("g", 70), Word("b", 65)


@pytest.fixture
def model(base_dir: Path) -> PreTrainedModel:
    return load_base(base_dir)


@pytest.fixture
def replies(tokenizer: Vocab) -> list[tuple[Ids, Ids]]:
    """More than a batch, of one character, in no order of length."""
    rows = pairs(6, tokenizer)
    short = [(row.prompt_ids, reply_ids(row.chosen, tokenizer)) for row in rows]
    return [*short, *((row.prompt_ids, reply_ids(row.rejected, tokenizer)) for row in rows)]


def batch(replies: list[tuple[Ids, Ids]]) -> tuple[Tensor, Tensor]:
    rows = [torch.tensor([*prompt, *reply]) for prompt, reply in replies]
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True), pad([torch.ones_like(row) for row in rows], True)


def taught(model: PreTrainedModel, replies: list[tuple[Ids, Ids]]) -> list[Tensor]:
    """The scores, and what their squares teach the first and the last layer."""
    model.zero_grad()
    made = score(model, WORDS, last_hidden(model, *batch(replies)))
    torch.autograd.backward(made.square().sum())
    names = [f"model.layers.{at}.self_attn.v_proj.weight" for at in (0, 1)]
    gradients = [model.get_parameter(name).grad for name in names]
    return [made.detach(), *(grad.clone() for grad in gradients if grad is not None)]


def test_a_shared_prompt_changes_no_score_and_no_gradient(
    model: PreTrainedModel, replies: list[tuple[Ids, Ids]]
) -> None:
    model.double()  # the score alone is of single precision
    shared = taught(model, replies)
    model.config.sliding_window = 10_000  # longer than any row
    plain = taught(model, replies)
    assert len(shared) == 3
    for one, other in zip(shared, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_scores_come_in_order_whatever_the_lengths(
    model: PreTrainedModel, replies: list[tuple[Ids, Ids]]
) -> None:
    seen: list[Progress] = []
    made = score_replies(model, WORDS, replies, seen.append)
    alone = [score_replies(model, WORDS, [reply], seen.append)[0] for reply in replies]
    assert made == pytest.approx(alone, abs=1e-4)
    assert len({round(one, 3) for one in made}) > 6
    assert [(progress.step, progress.total_steps) for progress in seen[:2]] == [(8, 12), (12, 12)]


def test_nothing_to_score_has_no_scores(model: PreTrainedModel) -> None:
    assert score_replies(model, WORDS, [], print) == ()
