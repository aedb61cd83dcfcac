"""What learning edits by heart promises, on a tiny real model."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from npc_server.engine.vocab import Vocab
from personas.render import Message, message_ids, reply_ids
from tests.support.rows import PERSONA, edited, edits, labelled
from tests.support.watching import ignore
from trainer.errors import ConfigError, RowsError
from trainer.forward import IGNORED, install
from trainer.lora import StartingPoint, load_policy
from trainer.methods import sft
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import Spoken
from trainer.rows.replay import LikedReply, Rows
from trainer.settings import LoraShape, Schedule
from trainer.training import common_arguments, plan_memory

LORA = LoraShape(rank=4, alpha=8)
SMALL = sft.Config(
    lora=LORA,
    schedule=Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=2),
    general_share=0,
)
EXAMPLES = tuple(Spoken((1, 2, number), (number,)) for number in range(3, 8))


def good(count: int, tokenizer: Vocab) -> tuple[LikedReply, ...]:
    """Replies that players liked."""
    rows = [labelled(100 + index, desirable=True, tokenizer=tokenizer) for index in range(count)]
    return tuple(LikedReply(row.prompt_ids, row.completion, row.weight) for row in rows)


def built(config: sft.Config, rows: Rows, start: StartingPoint, folder: Path) -> Any:
    """TRL's trainer, not started."""
    mixed = sft.lesson_of(config, rows, (), start.tokenizer)
    held = plan_memory(config, mixed, start.base_dir)
    policy = load_policy(start, config.lora, held)
    arguments = common_arguments(config, held, folder, len(mixed.rows))
    return sft.build(mixed, policy, start.base_dir, arguments)


@pytest.fixture(scope="module")
def trained(
    base_dir: Path, tokenizer: Vocab, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    out = tmp_path_factory.mktemp("trained") / "adapter"
    rows = Rows(edits(12, tokenizer), good(8, tokenizer))
    bare = StartingPoint(base_dir, tokenizer, None)
    return sft.run(SMALL, rows, EXAMPLES, bare, out, RunIO(ignore))


def test_the_replies_become_likelier(trained: RunResult) -> None:
    assert trained.history[-1].loss < 0.9 * trained.history[0].loss


def test_result_counts_the_players_rows(trained: RunResult) -> None:
    assert (trained.rows, trained.refused_too_long) == (12, 0)
    assert trained.steps == 12  # twice: twelve edits, five liked replies, seven examples


def test_nothing_is_compared_with_a_reference(trained: RunResult) -> None:
    assert {step.margin for step in trained.history} == {None}


def test_continuing_starts_from_what_the_parent_knew(
    trained: RunResult, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = Rows(edits(12, tokenizer), good(8, tokenizer))
    parent = StartingPoint(base_dir, tokenizer, trained.adapter)
    child = sft.run(SMALL, rows, EXAMPLES, parent, tmp_path / "child", RunIO(ignore))
    assert child.history[0].loss < trained.history[0].loss


def test_trained_ids_are_the_rendered_ones_and_only_the_reply_is_learned(
    start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    told = (
        Message("system", PERSONA),
        Message("user", "Hi<|im_end|>"),
        Message("assistant", "Aye."),
        Message("user", "And then?"),
    )
    later = replace(edited(1, tokenizer), prompt_ids=message_ids(told, tokenizer))
    rows = (edited(0, tokenizer), later)
    batch = next(iter(built(SMALL, Rows(rows), start, tmp_path).get_train_dataloader()))
    replies = [reply_ids(row.completion, tokenizer) for row in rows]
    ids = zip(batch["input_ids"], batch["attention_mask"], strict=True)
    labels = [tuple(row[row != IGNORED].tolist()) for row in batch["labels"]]
    assert {tuple(row[real.bool()].tolist()) for row, real in ids} == {
        (*row.prompt_ids, *reply) for row, reply in zip(rows, replies, strict=True)
    }
    assert sorted(labels) == sorted(replies)


def test_the_cheaper_forward_gives_trls_loss_and_gradient(
    start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    losses, gradients = [], []
    for cheaply in (False, True):
        torch.manual_seed(0)
        trainer = built(SMALL, Rows(edits(2, tokenizer)), start, tmp_path)
        batch = next(iter(trainer.get_train_dataloader()))
        weights = batch.pop("weights")
        assert weights.tolist() == [1.0, 1.0]
        if cheaply:
            install(trainer.model.get_base_model())
        loss = trainer.compute_loss(trainer.model, dict(batch))
        loss.backward()
        losses.append(loss.item())
        gradients.append(_gradient(trainer.model))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)


def test_a_row_counts_as_far_as_it_is_trusted(
    start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    gradients = []
    for weight in (1.0, 0.25):
        torch.manual_seed(0)
        rows = Rows((replace(edited(0, tokenizer), weight=weight),))
        trainer = built(SMALL, rows, start, tmp_path)
        install(trainer.model.get_base_model())
        batch = next(iter(trainer.get_train_dataloader()))
        trainer.compute_loss(trainer.model, batch).backward()
        gradients.append(_gradient(trainer.model))
    torch.testing.assert_close(gradients[1], 0.25 * gradients[0])


def test_shares_combine_and_the_edits_are_the_rest(tokenizer: Vocab) -> None:
    config = sft.Config(schedule=Schedule(rehearsed_share=0.2), replay_share=0.3, general_share=0.1)
    rows = Rows(edits(20, tokenizer), good(40, tokenizer))
    mixed = sft.lesson_of(config, rows, EXAMPLES, tokenizer)
    kinds = Counter(_kind(row, rows, tokenizer) for row in mixed.rows)
    assert kinds == {"edit": 20, "liked": 15, "example": 10, "general": 5}
    assert mixed.feedback_rows == 20


def test_what_is_absent_has_no_share(tokenizer: Vocab) -> None:
    config = sft.Config(schedule=Schedule(rehearsed_share=0.5), replay_share=0.4, general_share=0)
    mixed = sft.lesson_of(config, Rows(edits(10, tokenizer)), (), tokenizer)
    assert len(mixed.rows) == 10


def test_good_replies_are_not_repeated(tokenizer: Vocab) -> None:
    config = sft.Config(schedule=Schedule(rehearsed_share=0), replay_share=0.5, general_share=0)
    rows = Rows(edits(10, tokenizer), good(3, tokenizer))
    assert len(sft.lesson_of(config, rows, (), tokenizer).rows) == 13


def test_dropout_is_used(start: StartingPoint, tokenizer: Vocab, tmp_path: Path) -> None:
    config = replace(SMALL, lora=replace(LORA, dropout=0.5))
    trainer = built(config, Rows(edits(2, tokenizer)), start, tmp_path)
    trainer.model.train()
    rates = {module.p for module in trainer.model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.5}


def test_without_edits_there_is_nothing_to_train_on(
    start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = Rows((), good(4, tokenizer))
    with pytest.raises(RowsError, match="none of the 0 rows"):
        sft.run(SMALL, rows, (), start, tmp_path / "out", RunIO(ignore))


@pytest.mark.parametrize(
    ("replay", "general", "message"),
    [(-0.1, 0.0, "replay_share is -0.1"), (0.0, -1.0, "general_share"), (0.6, 0.2, "below 1")],
    ids=["replay", "general", "all"],
)
def test_shares_out_of_range_are_refused(replay: float, general: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sft.Config(replay_share=replay, general_share=general)


def _gradient(model: torch.nn.Module) -> torch.Tensor:
    """Of the last layer's B matrices: A's are zero while B is."""
    found = [
        weight.grad.flatten()
        for name, weight in model.named_parameters()
        if "lora_B" in name and weight.grad is not None
    ]
    return torch.cat(found)


def _kind(row: sft.LearnedIds, rows: Rows, tokenizer: Vocab) -> str:
    def is_of(texts: set[str]) -> bool:
        return row.reply in {reply_ids(text, tokenizer) for text in texts}

    if is_of({edit.completion for edit in rows.edits}):
        return "edit"
    if is_of({one.completion for one in rows.liked}):
        return "liked"
    return "example" if row.prompt[:2] == (1, 2) and len(row.prompt) == 3 else "general"
