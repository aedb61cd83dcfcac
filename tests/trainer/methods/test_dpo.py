"""What a training on pairs promises, on a tiny real model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from tests.support.rows import pairs
from tests.support.unstarted import on_pairs
from tests.support.watching import ignore
from trainer.errors import AdapterError, ConfigError, RowsError, WrongReferenceError
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.monitor import Monitor
from trainer.progress import Progress, RunIO, RunResult
from trainer.rows.datasets import PairIds, pair_ids
from trainer.settings import LoraShape, Schedule
from trainer.training import train

SMALL = dpo.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=5e-3, epochs=3, batch_rows=4, micro_batch_rows=2),
)
ONE_EPOCH = dpo.Config(lora=SMALL.lora, schedule=Schedule(batch_rows=4, micro_batch_rows=4))


@pytest.fixture(scope="module")
def trained(
    base_dir: Path, tokenizer: Vocab, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    out = tmp_path_factory.mktemp("trained") / "adapter"
    start = StartingPoint(base_dir, tokenizer, None)
    return dpo.run(SMALL, pairs(12, tokenizer), (), start, out, RunIO(ignore))


def test_first_step_has_zero_margins(trained: RunResult) -> None:
    assert trained.history[0].margin == 0.0


def test_training_raises_margins_and_lowers_loss(trained: RunResult) -> None:
    first, last = trained.history[0], trained.history[-1]
    assert last.margin is not None
    assert last.margin > 0.1
    assert last.accuracy == 1.0
    assert last.loss < first.loss


def test_result_counts_rows_and_steps(trained: RunResult) -> None:
    assert (trained.rows, trained.refused_too_long, trained.steps) == (12, 0, 9)
    assert trained.train_s > 0


def test_saved_folder_has_just_the_two_files(trained: RunResult) -> None:
    names = sorted(file.name for file in trained.adapter.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    assert list(trained.adapter.parent.iterdir()) == [trained.adapter]


def test_saved_config_names_the_base_by_digest_and_no_path(
    trained: RunResult, base_dir: Path
) -> None:
    text = (trained.adapter / "adapter_config.json").read_text()
    assert f'"base_model_name_or_path": "{base_dir.name}"' in text
    assert str(base_dir.parent) not in text


def test_same_seed_gives_the_same_bytes(base_dir: Path, tokenizer: Vocab, tmp_path: Path) -> None:
    start = StartingPoint(base_dir, tokenizer, None)
    once, again = (
        dpo.run(ONE_EPOCH, pairs(8, tokenizer), (), start, tmp_path / name, RunIO(ignore)).adapter
        for name in ("once", "again")
    )
    for file in once.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes()


def test_continuing_measures_against_the_parent(
    trained: RunResult, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = pairs(8, tokenizer)
    start = StartingPoint(base_dir, tokenizer, trained.adapter)
    result = dpo.run(ONE_EPOCH, rows, (), start, tmp_path / "child", RunIO(ignore))
    assert result.history[0].margin == 0.0
    assert result.history[0].loss < trained.history[0].loss  # it starts from what the parent knew


def test_reference_is_a_frozen_copy_of_the_parent(
    trained: RunResult, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    start = StartingPoint(base_dir, tokenizer, trained.adapter)
    policy: Any = on_pairs(SMALL, _ready(4, tokenizer), start, tmp_path).model
    weights = dict(policy.named_parameters())
    reference = {name: weight for name, weight in weights.items() if ".ref." in name}
    assert reference
    for name, weight in reference.items():
        assert not weight.requires_grad
        assert torch.equal(weight, weights[name.replace(".ref.", ".default.")])


def test_a_wrong_reference_stops_the_run(
    trained: RunResult, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    start = StartingPoint(base_dir, tokenizer, trained.adapter)
    trainer = on_pairs(SMALL, _ready(4, tokenizer), start, tmp_path)
    _spoil_reference(trainer)
    with pytest.raises(WrongReferenceError, match="before the first update"):
        train(trainer, Monitor(RunIO(ignore)))


def test_trained_batches_hold_exactly_the_rendered_ids(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = pairs(6, tokenizer)
    start = StartingPoint(base_dir, tokenizer, None)
    trainer = on_pairs(SMALL, _ready(6, tokenizer), start, tmp_path)
    seen = {ids for batch in trainer.get_train_dataloader() for ids in _unpadded(batch)}
    expected = {
        (row.prompt_ids, reply_ids(text, tokenizer))
        for row in rows
        for text in (row.chosen, row.rejected)
    }
    assert seen == expected


def test_over_long_rows_are_refused_and_counted(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    rows = pairs(8, tokenizer)
    longest = sorted(pair_ids(row, tokenizer).tokens for row in rows)
    config = dpo.Config(
        lora=SMALL.lora,
        schedule=Schedule(batch_rows=4, micro_batch_rows=4, max_tokens=longest[5]),
    )
    result = dpo.run(
        config, rows, (), StartingPoint(base_dir, tokenizer, None), tmp_path / "out", RunIO(ignore)
    )
    assert (result.rows, result.refused_too_long) == (6, 2)


def test_no_fitting_row_is_an_error(base_dir: Path, tokenizer: Vocab, tmp_path: Path) -> None:
    config = dpo.Config(schedule=Schedule(max_tokens=16))
    start = StartingPoint(base_dir, tokenizer, None)
    with pytest.raises(RowsError, match="none of the 3 rows fits max_tokens=16"):
        dpo.run(config, pairs(3, tokenizer), (), start, tmp_path / "out", RunIO(ignore))


def test_a_parent_of_another_rank_is_refused(
    trained: RunResult, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    config = dpo.Config(lora=LoraShape(rank=8, alpha=16))
    start = StartingPoint(base_dir, tokenizer, trained.adapter)
    with pytest.raises(AdapterError, match="has rank 4 and alpha 8"):
        dpo.run(config, pairs(3, tokenizer), (), start, tmp_path / "o", RunIO(ignore))


def test_a_parent_in_other_layers_is_refused(
    trained: RunResult, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    config = dpo.Config(lora=LoraShape(rank=4, alpha=8, targets=("q_proj", "v_proj")))
    start = StartingPoint(base_dir, tokenizer, trained.adapter)
    with pytest.raises(AdapterError, match=r"sits in \['down_proj', .* asks for \['q_proj', 'v_"):
        dpo.run(config, pairs(3, tokenizer), (), start, tmp_path / "o", RunIO(ignore))


def test_only_the_named_layers_are_adapted(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    config = dpo.Config(LoraShape(rank=4, alpha=8, targets=("q_proj",)), ONE_EPOCH.schedule)
    start = StartingPoint(base_dir, tokenizer, None)
    out = dpo.run(config, pairs(4, tokenizer), (), start, tmp_path / "o", RunIO(ignore)).adapter
    assert all("q_proj" in name for name in load_file(out / "adapter_model.safetensors"))
    again = StartingPoint(base_dir, tokenizer, out)
    child = dpo.run(config, pairs(4, tokenizer), (), again, tmp_path / "p", RunIO(ignore))
    assert child.history[0].margin == 0.0


def test_a_half_written_parent_is_refused(base_dir: Path, tokenizer: Vocab, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    start = StartingPoint(base_dir, tokenizer, tmp_path)
    with pytest.raises(AdapterError, match="lacks adapter_model"):
        dpo.run(SMALL, pairs(3, tokenizer), (), start, tmp_path / "out", RunIO(ignore))


def test_progress_counts_every_step(base_dir: Path, tokenizer: Vocab, tmp_path: Path) -> None:
    seen: list[Progress] = []
    start = StartingPoint(base_dir, tokenizer, None)
    dpo.run(ONE_EPOCH, pairs(10, tokenizer), (), start, tmp_path / "out", RunIO(seen.append))
    assert [(at.step, at.total_steps) for at in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[-1].seconds_left == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dpo.Config(beta=0), "beta is 0"),
        (lambda: dpo.Config(sft_weight=-1), "sft_weight is -1"),
        (lambda: dpo.Config(sft_weight=0), "rehearsed_share is 0.3; it must be 0 without sft"),
        (lambda: dpo.Config(lora=LoraShape(dropout=0.1)), "dropout is 0.1; it must be 0 where"),
        (lambda: Schedule(learning_rate=1), "learning_rate is 1"),
        (lambda: Schedule(batch_rows=6, micro_batch_rows=4), "batch_rows is 6"),
        (lambda: Schedule(epochs=0), "epochs is 0"),
        (lambda: LoraShape(rank=300), "rank is 300"),
    ],
    ids=["beta", "sft", "rehearsed", "dropout", "rate", "batch", "epochs", "rank"],
)
def test_a_setting_out_of_range_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match=message):
        make()


def _ready(count: int, tokenizer: Vocab) -> list[PairIds]:
    return [pair_ids(row, tokenizer) for row in pairs(count, tokenizer)]


def _spoil_reference(trainer: Any) -> None:
    with torch.no_grad():
        for name, weight in trainer.model.named_parameters():
            if ".ref." in name:
                weight.mul_(1.5)


def _unpadded(batch: dict[str, torch.Tensor]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    rows = []
    columns = (batch["input_ids"], batch["attention_mask"], batch["completion_mask"])
    for ids, real, of_reply in zip(*columns, strict=True):
        prompt = ids[real.bool() & ~of_reply.bool()]
        rows.append((tuple(prompt.tolist()), tuple(ids[of_reply.bool()].tolist())))
    return rows
