"""Fixtures for all tests. Nothing here reads or writes a user's own data."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL
from npc_server.base_models.model_files import cached_path
from npc_server.config import PathsConfig
from npc_server.engine.openmp import set_short_spin
from tests.support import tiny_gguf

# As the engine process does, so that the suite passes beside busy processes. Nothing above loads a
# model library, and every test module is imported after this one.
set_short_spin()

# Beside other work an example may take any time; pytest's own timeout ends what hangs.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has its own data folder, working directory and configuration."""
    for name in [name for name in os.environ if name.startswith("NPC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NPC_PATHS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random GGUF of the llama architecture, F32."""
    return tiny_gguf.write_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="session")
def real_model() -> Path:
    """The embedded base model; a missing one fails, because `make test` fetches it."""
    path = cached_path(CATALOGUE[DEFAULT_MODEL], PathsConfig().cache)
    assert path.is_file(), f"{path} is missing; run: npc model pull"
    return path


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell starts what it puts into the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
