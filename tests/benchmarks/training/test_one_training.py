"""The training benchmark compares like with like, on a tiny real model."""

from pathlib import Path

import pytest

from benchmarks.training.one_training import train
from benchmarks.training.rows import pairs
from benchmarks.training.workspace import OURS, STOCK
from npc_server.engine.vocab import Vocab

FEW = 4


def test_both_sides_learn_the_same_from_the_same(tiny_model: Path, tmp_path: Path) -> None:
    ours, stock = (train(side, tiny_model, tmp_path, 2 * FEW) for side in (OURS, STOCK))
    assert len(ours.losses) == 2
    assert ours.losses == pytest.approx(stock.losses, abs=1e-4)
    assert ours.peak_bytes > 2**20


def test_pairs_are_edits_shorter_than_what_they_edit(tiny_model: Path) -> None:
    made = pairs("mira", Vocab(tiny_model), 16)
    assert all(len(pair.chosen) < len(pair.rejected) for pair in made)
    assert made == pairs("mira", Vocab(tiny_model), 16)
