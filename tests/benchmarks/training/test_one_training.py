"""The training benchmark compares like with like, on a tiny real model."""

from pathlib import Path

import pytest

from benchmarks.training import qlora
from benchmarks.training.one_training import train
from benchmarks.training.rows import pairs
from benchmarks.training.workspace import OURS, QUICK, STOCK, Extent, Workspace
from npc_server.engine.llama import Vocab

FEW = 4


def quiet(what: str, done: int, total: int) -> None:
    assert done <= total


def test_both_sides_learn_the_same_from_the_same(tiny_model: Path, tmp_path: Path) -> None:
    ours, stock = (train(side, tiny_model, tmp_path, 2 * FEW) for side in (OURS, STOCK))
    assert len(ours.losses) == 2
    assert ours.losses == pytest.approx(stock.losses, abs=1e-4)
    assert ours.peak_bytes > 2**20


def test_pairs_are_edits_shorter_than_what_they_edit(tiny_model: Path) -> None:
    made = pairs("mira", Vocab(tiny_model), 16)
    assert all(len(pair.chosen) < len(pair.rejected) for pair in made)
    assert made == pairs("mira", Vocab(tiny_model), 16)


def test_four_bits_learn_on_random_weights(tiny_model: Path, tmp_path: Path) -> None:
    workspace = Workspace(tiny_model, tmp_path, tmp_path, Extent(rounds=1, pairs=FEW), quiet)
    speed = qlora.train(workspace, qlora.Width(hidden=64, inner=128, layers=2, heads=4, kv_heads=2))
    assert speed.tokens_per_s > 0
    assert len(speed.losses) == 1


async def test_without_a_gpu_that_part_says_so(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is here, so there is nothing to leave out")
    found = await qlora.run(Workspace(tiny_model, tmp_path, tmp_path, QUICK, quiet))
    assert not found.figures
    assert found.notes == ["qlora: left out, there is no CUDA GPU here"]
