"""An adapter to examine."""

from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from tests.support.rows import pairs
from tests.support.watching import ignore
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.progress import RunIO
from trainer.settings import LoraShape, Schedule


@pytest.fixture(scope="module")
def adapter(base_dir: Path, tokenizer: Vocab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a short training on eight pairs leaves."""
    config = dpo.Config(
        lora=LoraShape(rank=4, alpha=8),
        schedule=Schedule(learning_rate=5e-3, epochs=2, batch_rows=4, micro_batch_rows=4),
    )
    start = StartingPoint(base_dir, tokenizer, None)
    out = tmp_path_factory.mktemp("adapter") / "out"
    return dpo.run(config, pairs(8, tokenizer), (), start, out, RunIO(ignore)).adapter
