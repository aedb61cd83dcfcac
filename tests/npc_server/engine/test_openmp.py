"""The OpenMP spin: short for our processes, unless the operator has set it."""

from __future__ import annotations

import os

import pytest

from npc_server.engine.openmp import SHORT, SPIN, set_short_spin, short_spin


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
