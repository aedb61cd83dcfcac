"""The table of methods is complete, and what holds for every method holds for each."""

from dataclasses import fields
from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from tests.support.rows import snapshot
from tests.support.watching import ignore
from trainer.errors import ConfigError
from trainer.lora import StartingPoint
from trainer.methods.table import METHODS
from trainer.progress import RunIO, RunResult
from trainer.recipes.refused_methods import refused_method
from trainer.rows.datasets import Spoken
from trainer.settings import LoraShape, Schedule

EVERY = pytest.mark.parametrize("method", METHODS)
EXAMPLES = tuple(Spoken((1, 2, number), (number,)) for number in range(3, 8))


def two_steps(method: str, base_dir: Path, tokenizer: Vocab, out: Path) -> RunResult:
    """A training of two optimizer steps: six rows, two examples."""
    asked = METHODS[method]
    schedule = Schedule(batch_rows=4, micro_batch_rows=4, rehearsed_share=0.25)
    config = asked.config(lora=LoraShape(rank=4, alpha=8), schedule=schedule)
    rows = asked.learns_from.rows(snapshot(tokenizer, pairs=6, good=3, bad=3, edits=6))
    start = StartingPoint(base_dir, tokenizer, None)
    return asked.run(config, rows, EXAMPLES, start, out, RunIO(ignore))


@EVERY
def test_every_method_can_be_taught(method: str) -> None:
    settings = {field.name for field in fields(METHODS[method].config())}
    assert {"lora", "schedule", "memory"} <= settings


@EVERY
def test_every_method_leaves_two_files_the_same_bytes_twice(
    method: str, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    once, again = (
        two_steps(method, base_dir, tokenizer, tmp_path / name) for name in ("once", "again")
    )
    assert once.steps >= 2
    names = sorted(file.name for file in once.adapter.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    for name in names:
        assert (once.adapter / name).read_bytes() == (again.adapter / name).read_bytes()


@pytest.mark.parametrize("method", ["sft", "orpo", "simpo"])
def test_players_are_set_aside_where_a_schedule_may_stop_early(
    method: str, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    asked = METHODS[method]
    config = asked.config(lora=LoraShape(rank=4, alpha=8), schedule=Schedule(patience=1))
    rows = asked.learns_from.rows(snapshot(tokenizer, pairs=6, edits=6))
    start = StartingPoint(base_dir, tokenizer, None)
    result = asked.run(config, rows, (), start, tmp_path / "out", RunIO(ignore))
    assert (result.rows, result.development_rows) == (5, 1)
    assert len(result.evaluations) == result.steps


@pytest.mark.parametrize("method", ["dpo", "kto", "apo_zero"])
def test_dropout_is_refused_where_a_reference_is_compared_with(method: str) -> None:
    with pytest.raises(ConfigError, match=r"dropout is 0\.1; it must be 0"):
        METHODS[method].config(lora=LoraShape(dropout=0.1))


def test_kto_refuses_a_micro_batch_that_measures_no_drift_and_names_apo() -> None:
    with pytest.raises(ConfigError, match=r"micro_batch_rows is 1;.*method apo_zero"):
        METHODS["kto"].config(schedule=Schedule(micro_batch_rows=1))


def test_experimental_methods_are_those_that_trl_calls_so() -> None:
    experimental = {name for name, method in METHODS.items() if method.experimental}
    assert experimental == {"orpo", "simpo"}


@pytest.mark.parametrize("name", ["prefix-tuning", "Prompt tuning", "p_tuning", "IA3"])
def test_what_the_server_cannot_hold_is_refused_with_the_reason(name: str) -> None:
    reason = refused_method(name)
    assert reason is not None
    assert "the server's slots hold LoRA adapters only" in reason


@pytest.mark.parametrize("name", [*METHODS, "no such method"])
def test_what_can_be_served_or_is_unknown_is_not_refused_here(name: str) -> None:
    assert refused_method(name) is None
