"""The command of the GPU benchmark: what it refuses, keeps and leaves out."""

import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks.gpu.__main__ import main

app = typer.Typer()
app.command()(main)


def call(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_what_runs_here() -> None:
    code, told = call()
    assert code == 2
    assert "--tiny --device cpu shows that everything runs" in told


def test_eight_billion_weights_are_not_trained_on_a_cpu() -> None:
    code, told = call("--device", "cpu")
    assert code == 2
    assert "add --tiny" in told


def test_what_there_is_no_time_for_is_left_out(tmp_path: Path) -> None:
    options = ("--tiny", "--device", "cpu", "--minutes", "0.1", "--out", str(tmp_path))
    code, told = call(*options, "--only", "qlora")
    assert code == 0
    assert "qlora: left out, 6 s are left and it takes 150 or more" in told


def test_a_part_that_was_measured_here_is_kept(tmp_path: Path) -> None:
    parts = {"dpo": {"notes": ["measured on cpu"]}}
    (tmp_path / "gpu.tiny.json").write_text(json.dumps({"parts": parts}))
    code, told = call("--tiny", "--device", "cpu", "--only", "dpo", "--out", str(tmp_path))
    assert code == 0
    assert "dpo: kept" in told
