"""What a tracker promises: it is there or named as missing, writes files, and asks no network."""

import os
from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from tests.support.rows import pairs
from tests.support.watching import ignore
from trainer import trackers
from trainer.errors import ConfigError, MissingLibraryError
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.progress import RunIO
from trainer.settings import LoraShape


def track(name: str, base_dir: Path, tokenizer: Vocab, folder: Path) -> None:
    io = RunIO(ignore, trackers=(name,), tracked=folder)
    start = StartingPoint(base_dir, tokenizer, None)
    config = dpo.Config(LoraShape(rank=4, alpha=8))
    dpo.run(config, pairs(4, tokenizer), (), start, folder / "adapter", io)


def test_an_unknown_tracker_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'tensorbord' is not known; known: tensorboard, wandb"):
        trackers.check(("tensorbord",))


@pytest.mark.parametrize("name", trackers.KNOWN)
def test_a_tracker_that_is_not_installed_is_named_before_training(
    name: str,
    base_dir: Path,
    tokenizer: Vocab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _: None)
    with pytest.raises(MissingLibraryError, match=f"pip install {name}"):
        track(name, base_dir, tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "files"),
    [("tensorboard", "tensorboard/events.*"), ("wandb", "wandb/offline-run-*")],
)
def test_a_tracker_writes_below_its_folder(
    name: str, files: str, base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    track(name, base_dir, tokenizer, tmp_path)
    assert list(tmp_path.glob(files))


def test_trackers_are_offline_while_training_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    with trackers.writing_to(tmp_path):
        assert os.environ["WANDB_MODE"] == "offline"
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "tensorboard")
    assert os.environ["WANDB_MODE"] == "online"
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ
