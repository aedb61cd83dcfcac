"""What a training on thumbs promises, on a tiny real model."""

from pathlib import Path

import pytest

from feedback_store.selection import Labelled
from npc_server.engine.llama import Vocab
from personas.render import reply_ids
from tests.trainer.rows import thumbs
from trainer import kto
from trainer.datasets import LabelledIds, interleaved, labelled_dataset, labelled_ids
from trainer.errors import ConfigError, RowsError
from trainer.lora import StartingPoint, load_policy
from trainer.progress import Desk, Progress
from trainer.settings import LoraShape, Schedule

SMALL = kto.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=4),
)


def ignore(progress: Progress) -> None:
    assert progress.total_steps > 0


def test_good_replies_gain_on_bad_ones(base_dir: Path, tokenizer: Vocab, tmp_path: Path) -> None:
    result = kto.run(
        SMALL,
        thumbs(8, 4, tokenizer),
        (),
        StartingPoint(base_dir, tokenizer, None),
        tmp_path / "out",
        Desk(ignore),
    )
    first, last = result.history[0], result.history[-1]
    assert first.margin == 0.0
    assert last.margin is not None
    assert last.margin > 0.05
    assert len(list(result.adapter.iterdir())) == 2


def test_one_row_at_a_time_trains_without_drift(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    config = kto.Config(lora=SMALL.lora, schedule=Schedule(batch_rows=4, micro_batch_rows=1))
    result = kto.run(
        config,
        thumbs(3, 3, tokenizer),
        (),
        StartingPoint(base_dir, tokenizer, None),
        tmp_path / "out",
        Desk(ignore),
    )
    assert config.loss == "apo_zero_unpaired"
    assert result.steps == 2


def test_trained_rows_are_the_rendered_ids_in_file_order(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = interleaved(_ids(thumbs(4, 4, tokenizer), tokenizer), seed=0)
    policy = load_policy(base_dir, None, SMALL.lora)
    loader = kto.build(SMALL, rows, policy, base_dir, tmp_path).get_train_dataloader()
    seen = [
        tuple(ids[of_reply.bool()].tolist())
        for batch in loader
        for ids, of_reply in zip(batch["input_ids"], batch["completion_mask"], strict=True)
    ]
    assert seen == [row.completion for row in rows]


def test_completion_is_the_rendered_reply(tokenizer: Vocab) -> None:
    (row,) = thumbs(1, 0, tokenizer)
    ready = labelled_ids(row, tokenizer)
    assert ready.prompt == row.prompt_ids
    assert ready.completion == reply_ids(row.completion, tokenizer)


def test_both_kinds_are_spread_through_every_micro_batch(tokenizer: Vocab) -> None:
    rows = interleaved(_ids(thumbs(12, 4, tokenizer), tokenizer), seed=0)
    batches = [rows[first : first + 4] for first in range(0, 16, 4)]
    assert [sum(row.desirable for row in batch) for batch in batches] == [3, 3, 3, 3]


@pytest.mark.parametrize(("good", "bad"), [(4, 0), (0, 4)], ids=["no bad", "no good"])
def test_thumbs_of_one_kind_are_refused(tokenizer: Vocab, good: int, bad: int) -> None:
    with pytest.raises(RowsError, match="needs good and bad"):
        interleaved(_ids(thumbs(good, bad, tokenizer), tokenizer), seed=0)


@pytest.mark.parametrize(("good", "bad"), [(90, 10), (5, 20), (7, 7)])
def test_weights_balance_both_kinds(good: int, bad: int) -> None:
    rows = [LabelledIds((1,), (2,), index < good) for index in range(good + bad)]
    weights = kto.balanced(rows)
    assert weights.desirable * good == pytest.approx(weights.undesirable * bad)
    assert min(weights.desirable, weights.undesirable) == 1.0


def test_drift_is_measured_on_a_neighbours_reply() -> None:
    rows = [LabelledIds((index,), (10 + index,), True) for index in range(9)]
    dataset = labelled_dataset(rows, micro_batch_rows=4)
    neighbours = [ids[0] - 10 for ids in dataset["KL_completion_ids"]]
    assert neighbours == [3, 0, 1, 2, 7, 4, 5, 6, 7]


def test_a_micro_batch_too_small_to_measure_drift_is_refused() -> None:
    with pytest.raises(ConfigError, match="micro_batch_rows is 2"):
        kto.Config(schedule=Schedule(micro_batch_rows=2))


def _ids(rows: list[Labelled], tokenizer: Vocab) -> list[LabelledIds]:
    return [labelled_ids(row, tokenizer) for row in rows]
