"""What a training on pairs without a reference promises, for SimPO, on a tiny real model."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from trl.experimental.cpo import CPOTrainer

from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from tests.support.rows import pairs
from tests.support.unstarted import unstarted
from tests.support.watching import ignore
from trainer.errors import ConfigError
from trainer.forward import IGNORED
from trainer.lora import StartingPoint
from trainer.methods import simpo
from trainer.methods.pair_lesson import lesson_of
from trainer.progress import RunIO
from trainer.settings import LoraShape, Schedule

SMALL = simpo.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=5e-3, epochs=3, batch_rows=4, micro_batch_rows=2),
)


@pytest.fixture
def built(start: StartingPoint, tokenizer: Vocab, tmp_path: Path) -> Any:
    """TRL's trainer on four pairs, not started."""
    lesson = lesson_of(SMALL.schedule, pairs(4, tokenizer), (), tokenizer)
    return unstarted(simpo.build, SMALL, lesson, start, tmp_path)


def test_chosen_replies_gain_on_rejected_ones(
    start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    result = simpo.run(SMALL, pairs(12, tokenizer), (), start, tmp_path / "out", RunIO(ignore))
    first, last = result.history[0], result.history[-1]
    assert first.margin is not None
    assert last.margin is not None
    assert last.margin > first.margin + 0.5
    assert last.loss < first.loss


def test_trained_replies_are_the_rendered_ones(built: Any, tokenizer: Vocab) -> None:
    seen = {
        (tuple(ids[real.bool()].tolist()), tuple(labels[labels != IGNORED].tolist()))
        for batch in built.get_train_dataloader()
        for side in ("chosen", "rejected")
        for ids, real, labels in zip(
            *(batch[f"{side}_{name}"] for name in ("input_ids", "attention_mask", "labels")),
            strict=True,
        )
    }
    replies = {
        (row.prompt_ids, reply_ids(text, tokenizer))
        for row in pairs(4, tokenizer)
        for text in (row.chosen, row.rejected)
    }
    assert seen == {((*prompt, *reply), reply) for prompt, reply in replies}


def test_scores_are_those_of_trls_own_forward(built: Any) -> None:
    batch = next(iter(built.get_train_dataloader()))
    own = built.concatenated_forward(built.model, batch)
    trls = CPOTrainer.concatenated_forward(built, built.model, batch)
    for index in (0, 1, 4):
        torch.testing.assert_close(own[index], trls[index], rtol=1e-5, atol=1e-5)


def test_the_loss_is_the_papers_beside_the_supervised_term(built: Any) -> None:
    batch = next(iter(built.get_train_dataloader()))
    chosen, rejected, _, _, cross_entropy = built.concatenated_forward(built.model, batch)
    margins = (SMALL.beta * (chosen - rejected) - SMALL.target_margin).tolist()
    preference = sum(math.log1p(math.exp(-margin)) for margin in margins) / len(margins)
    expected = preference + SMALL.sft_weight * cross_entropy.item()
    assert built.compute_loss(built.model, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: simpo.Config(beta=0), "beta is 0"),
        (lambda: simpo.Config(target_margin=-1), "target_margin is -1"),
        (lambda: simpo.Config(sft_weight=11), "sft_weight is 11"),
        (lambda: simpo.Config(sft_weight=0), "rehearsed_share is 0.3"),
    ],
    ids=["beta", "margin", "weight", "rehearsal that teaches nothing"],
)
def test_a_setting_out_of_range_or_ignored_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match=message):
        make()
