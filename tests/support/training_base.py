"""A tiny random model as a training base: the GGUF that the engine tests serve, unpacked."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer.base import ensure_base


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """A tiny model gains nothing from threads, and loses much when the machine is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: {0})
        yield


@pytest.fixture(scope="session")
def base_dir(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the trainer loads the tiny model from."""
    return ensure_base(tiny_model, tmp_path_factory.mktemp("cache"))
