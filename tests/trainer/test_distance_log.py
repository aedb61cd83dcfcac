"""What the curve of a training's distance from the base promises, on a tiny real model."""

from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from personas.adapter_repo import content_hash
from tests.support.rows import pairs
from tests.support.watching import ignore
from trainer.distance_log import MEASUREMENTS, MOST_TOKENS, is_due
from trainer.divergence import kl_divergence, next_log_probs, plain_text, token_windows
from trainer.lora import StartingPoint, load_base, load_voice
from trainer.methods import dpo
from trainer.progress import RunIO, RunResult
from trainer.settings import LoraShape, Schedule

CONFIG = dpo.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(
        learning_rate=5e-3, epochs=2, batch_rows=2, micro_batch_rows=2, rehearsed_share=0
    ),
)


@pytest.fixture
def trained(start: StartingPoint, tokenizer: Vocab, tmp_path: Path) -> RunResult:
    return dpo.run(CONFIG, pairs(8, tokenizer), (), start, tmp_path / "a", RunIO(ignore))


def distances(result: RunResult) -> list[float]:
    return [step.base_kl for step in result.history if step.base_kl is not None]


def test_the_distance_begins_at_the_base_and_grows(trained: RunResult) -> None:
    found = distances(trained)
    assert found[0] == 0.0
    assert found == sorted(found)
    assert found[-1] > 0.0


def test_a_training_that_goes_on_begins_where_the_parent_is(
    trained: RunResult, start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    window = token_windows(plain_text(), tokenizer)[0][:MOST_TOKENS]
    base, voice = load_base(start.base_dir), load_voice(start.base_dir, trained.adapter)
    nats = kl_divergence(next_log_probs(voice, window), next_log_probs(base, window)) / len(window)
    onwards = replace(start, adapter=trained.adapter)
    result = dpo.run(CONFIG, pairs(8, tokenizer), (), onwards, tmp_path / "b", RunIO(ignore))
    assert distances(result)[0] == pytest.approx(nats, rel=1e-3)


def test_measuring_changes_no_byte(
    trained: RunResult,
    start: StartingPoint,
    tokenizer: Vocab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainer.distance_log.is_due", lambda done, total: False)
    blind = dpo.run(CONFIG, pairs(8, tokenizer), (), start, tmp_path / "b", RunIO(ignore))
    assert not distances(blind)
    assert content_hash(blind.adapter) == content_hash(trained.adapter)


@pytest.mark.parametrize("total", [1, 5, 32, 100])
def test_measurements_are_few_and_include_the_first_and_the_last_step(total: int) -> None:
    due = [done for done in range(total) if is_due(done, total)]
    assert (due[0], due[-1]) == (0, total - 1)
    assert len(due) <= 2 * MEASUREMENTS
