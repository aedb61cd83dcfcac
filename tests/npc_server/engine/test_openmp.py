"""The OpenMP spin: short for our processes, unless the operator has set it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from npc_server.engine.openmp import SHORT, SPIN, set_short_spin, short_spin
from tests.support.paths import ROOT

LOADED = "import sys, tests.conftest; print({'llama_cpp', 'torch'} & {*sys.modules})"


def test_the_spin_is_short_inside_a_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SPIN, raising=False)
    with short_spin():
        assert os.environ[SPIN] == SHORT
    assert SPIN not in os.environ


def test_an_operators_spin_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPIN, "7")
    set_short_spin()
    with short_spin():
        assert os.environ[SPIN] == "7"
    assert os.environ[SPIN] == "7"


def test_the_tests_set_the_spin_before_a_model_library_reads_it() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True
    )
    assert (loaded.stdout, SPIN in os.environ) == ("set()\n", True), loaded.stderr
