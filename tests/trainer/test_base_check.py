"""Whether a base can be trained, said before a night is begun."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from npc_server.engine import host_memory
from npc_server.engine.settings import EngineSettings
from tests.support import tiny_gguf
from tests.support.paths import ROOT
from trainer.base_check import (
    Candidate,
    require_disk,
    require_memory,
    require_trainable,
    shared_layers,
)
from trainer.errors import BaseModelError, DiskError
from trainer.nightly import disk


def silent(*_: object) -> None:
    """No report."""


def candidate(gguf: Path, cache: Path) -> Candidate:
    """A base to look at, under small settings."""
    return Candidate(gguf, cache, EngineSettings(context_tokens=256), 64)


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_a_base_that_computes_the_same_both_ways_can_be_trained(
    tmp_path: Path, architecture: str
) -> None:
    path = tiny_gguf.write_model(tmp_path / "tiny.gguf", architecture=architecture)
    found = require_trainable(candidate(path, tmp_path / "cache"), silent)
    assert found.least_cosine >= found.explained_cosine > 0.9
    assert {"q_proj", "down_proj"} <= set(found.layers)


def test_a_base_whose_layers_are_served_nowhere_cannot(tiny_model: Path) -> None:
    with pytest.raises(BaseModelError, match="there is none of both"):
        shared_layers(tiny_model, frozenset({"wqkv"}))


def test_a_disk_without_room_for_the_unpacked_base_is_told(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "dense_bytes", lambda _: 1 << 60)
    with pytest.raises(DiskError, match="unpacked base"):
        require_disk(candidate(tiny_model, tmp_path), "0" * 64)


def test_memory_that_is_too_small_for_it_is_told(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_memory, "available_bytes", lambda: 1000)
    with pytest.raises(BaseModelError, match="on a larger machine"):
        require_memory(tiny_model)


def run(gguf: Path, cache: Path) -> tuple[int, dict[str, Any]]:
    """The process, as the command starts it."""
    settings = json.dumps({"engine": {"context_tokens": 256}})
    line = [sys.executable, "-m", "trainer.base_check", f"--base={gguf}", f"--cache={cache}"]
    done = subprocess.run(
        [*line, f"--settings={settings}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_the_process_answers_in_json_whatever_it_finds(tiny_model: Path, tmp_path: Path) -> None:
    assert run(tiny_model, tmp_path)[1]["state"] == "ready"
    code, found = run(tmp_path / "absent.gguf", tmp_path)
    assert (code, found["state"]) == (3, "failed")
    assert "absent.gguf" in found["reason"]
