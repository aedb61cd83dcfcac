"""What a training on thumbs one at a time promises, on a tiny real model."""

from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from tests.support.rows import thumbs
from tests.support.watching import ignore
from trainer.errors import ConfigError
from trainer.lora import StartingPoint
from trainer.methods import apo
from trainer.progress import RunIO
from trainer.settings import LoraShape, Schedule

SMALL = apo.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=1),
)


def test_good_replies_gain_on_bad_ones_a_row_at_a_time(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    start = StartingPoint(base_dir, tokenizer, None)
    result = apo.run(SMALL, thumbs(4, 4, tokenizer), (), start, tmp_path / "out", RunIO(ignore))
    losses = [step.loss for step in result.history]
    assert losses[0] == pytest.approx(0.5)  # of a policy that is its reference
    assert losses[-1] < 0.49


def test_a_single_row_is_in_memory_unless_told_otherwise() -> None:
    assert apo.Config().schedule.micro_batch_rows == 1


def test_beta_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="beta is 11"):
        apo.Config(beta=11)
