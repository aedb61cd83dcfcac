"""What a training on thumbs promises, on a tiny real model."""

from dataclasses import replace
from pathlib import Path

import pytest

from feedback_store.selection import Labelled
from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from tests.support.rows import thumbs
from tests.support.unstarted import on_labels
from tests.support.watching import ignore
from trainer.errors import ConfigError, RowsError
from trainer.lora import StartingPoint
from trainer.methods import kto
from trainer.progress import RunIO
from trainer.rows.datasets import LabelledIds, interleaved, labelled_dataset, labelled_ids
from trainer.settings import LoraShape, Schedule

SMALL = kto.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=4),
)


def test_good_replies_gain_on_bad_ones(base_dir: Path, tokenizer: Vocab, tmp_path: Path) -> None:
    result = kto.run(
        SMALL,
        thumbs(8, 4, tokenizer),
        (),
        StartingPoint(base_dir, tokenizer, None),
        tmp_path / "out",
        RunIO(ignore),
    )
    first, last = result.history[0], result.history[-1]
    assert first.margin == 0.0
    assert last.margin is not None
    assert last.margin > 0.05
    assert [step.kl is not None for step in result.history] == [True] * result.steps
    assert len(list(result.adapter.iterdir())) == 2


def test_thumbs_of_some_players_can_be_set_aside_to_stop_by(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    config = kto.Config(SMALL.lora, replace(SMALL.schedule, patience=2))
    start = StartingPoint(base_dir, tokenizer, None)
    result = kto.run(config, thumbs(8, 8, tokenizer), (), start, tmp_path / "out", RunIO(ignore))
    assert (result.rows, result.development_rows) == (13, 3)
    assert [evaluation.step for evaluation in result.evaluations] == [*range(1, result.steps + 1)]
    best = min(result.evaluations, key=lambda evaluation: evaluation.loss)
    assert result.kept_step == best.step


def test_trained_rows_are_the_rendered_ids_in_file_order(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = interleaved(_ids(thumbs(4, 4, tokenizer), tokenizer), seed=0)
    start = StartingPoint(base_dir, tokenizer, None)
    loader = on_labels(SMALL, rows, start, tmp_path).get_train_dataloader()
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
    weights = kto.balancing_weights(rows)
    assert weights.desirable * good == pytest.approx(weights.undesirable * bad)
    assert min(weights.desirable, weights.undesirable) == 1.0


def test_weights_balance_trust_rather_than_rows() -> None:
    good = [LabelledIds((1,), (2,), True, weight=0.2)] * 10
    bad = [LabelledIds((1,), (2,), False, weight=1.0)] * 4
    weights = kto.balancing_weights([*good, *bad])
    assert weights.desirable == pytest.approx(2.0)
    assert weights.undesirable == 1.0


def test_dropout_is_refused_because_a_reference_is_compared_with() -> None:
    with pytest.raises(ConfigError, match=r"dropout is 0\.1; it must be 0 where a reference"):
        kto.Config(lora=LoraShape(dropout=0.1))


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
