"""What a training on pairs without a reference promises, for ORPO, on a tiny real model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from trl.experimental.orpo import ORPOTrainer

from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from tests.support.rows import pairs
from tests.support.unstarted import unstarted
from tests.support.watching import ignore
from trainer.errors import ConfigError
from trainer.forward import IGNORED
from trainer.lora import StartingPoint
from trainer.methods import orpo
from trainer.methods.pair_lesson import lesson_of
from trainer.progress import RunIO
from trainer.rows.datasets import Spoken
from trainer.settings import LoraShape, Schedule

SMALL = orpo.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=5e-3, epochs=3, batch_rows=4, micro_batch_rows=2),
)


@pytest.fixture
def built(start: StartingPoint, tokenizer: Vocab, tmp_path: Path) -> Any:
    """TRL's trainer on four pairs, not started."""
    lesson = lesson_of(SMALL.schedule, pairs(4, tokenizer), (), tokenizer)
    return unstarted(orpo.build, SMALL, lesson, start, tmp_path)


def test_chosen_replies_gain_on_rejected_ones(
    start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    result = orpo.run(SMALL, pairs(12, tokenizer), (), start, tmp_path / "out", RunIO(ignore))
    first, last = result.history[0], result.history[-1]
    assert first.margin is not None
    assert last.margin is not None
    assert last.margin > first.margin + 0.01
    assert last.loss < 0.9 * first.loss


def test_trained_ids_are_the_rendered_ones_and_labels_the_replies(
    built: Any, tokenizer: Vocab
) -> None:
    batches = list(built.get_train_dataloader())
    for side in ("chosen", "rejected"):
        seen = {row for batch in batches for row in _unpadded(batch, side)}
        assert seen == {
            (row.prompt_ids, reply_ids(getattr(row, side), tokenizer))
            for row in pairs(4, tokenizer)
        }


def test_scores_are_those_of_trls_own_forward(built: Any) -> None:
    batch = next(iter(built.get_train_dataloader()))
    own = built.concatenated_forward(built.model, batch)
    trls = ORPOTrainer.concatenated_forward(built, built.model, batch)
    for scores, expected in zip(own[:2], trls[:2], strict=True):
        torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)


def test_cross_entropy_is_of_the_chosen_reply_alone(built: Any) -> None:
    batch = next(iter(built.get_train_dataloader()))
    model = built.model
    logits = model(batch["chosen_input_ids"], attention_mask=batch["chosen_attention_mask"]).logits
    expected = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch["chosen_labels"][:, 1:].flatten()
    )
    assert built.concatenated_forward(model, batch)[4].item() == pytest.approx(expected.item())


def test_a_rehearsed_pair_teaches_its_words_and_no_preference(
    start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    examples = [Spoken((5, 6, number), (7, number)) for number in range(8, 12)]
    config = replace(SMALL, schedule=replace(SMALL.schedule, rehearsed_share=0.5))
    lesson = lesson_of(config.schedule, pairs(4, tokenizer), examples, tokenizer)
    rehearsed = replace(lesson, rows=lesson.rows[4:])
    trainer: Any = unstarted(orpo.build, config, rehearsed, start, tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    odds = trainer.odds_ratio_loss(*trainer.concatenated_forward(trainer.model, batch)[:2])[0]
    odds.mean().backward()
    gradients = [weight.grad for weight in trainer.model.parameters() if weight.grad is not None]
    assert gradients
    assert all(gradient.abs().max() < 1e-7 for gradient in gradients)


def test_beta_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="beta is 0"):
        orpo.Config(beta=0)


def _unpadded(
    batch: dict[str, torch.Tensor], side: str
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    rows = []
    columns = (batch[f"{side}_{name}"] for name in ("input_ids", "attention_mask", "labels"))
    for ids, real, labels in zip(*columns, strict=True):
        of_reply = labels != IGNORED
        prompt = ids[real.bool() & ~of_reply]
        rows.append((tuple(prompt.tolist()), tuple(labels[of_reply].tolist())))
    return rows
