"""Every test of the trainer works on the tiny model, on one core."""

from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from tests.support.training_base import base_dir, one_core
from trainer.lora import StartingPoint

__all__ = ["base_dir", "one_core"]


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Vocab:
    return Vocab(tiny_model)


@pytest.fixture
def start(base_dir: Path, tokenizer: Vocab) -> StartingPoint:
    """A training from the bare base."""
    return StartingPoint(base_dir, tokenizer, None)
