"""Experiment trackers: TensorBoard and Weights & Biases, without a network.

transformers writes to both; here they are checked before any model is loaded, given a folder, and
kept offline: `wandb sync` uploads a run later.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from trainer.errors import ConfigError, MissingLibraryError

KNOWN = ("tensorboard", "wandb")  # names in transformers, and of the packages


def check(trackers: tuple[str, ...]) -> None:
    """Raise ConfigError for an unknown name, MissingLibraryError for a missing package."""
    for name in trackers:
        if name not in KNOWN:
            raise ConfigError(f"tracker {name!r} is not known; known: {', '.join(KNOWN)}")
        if find_spec(name) is None:
            raise MissingLibraryError(
                f"tracker {name!r} is not installed: pip install {name}, or train without it"
            )


@contextmanager
def writing_to(folder: Path | None) -> Iterator[None]:
    """Let trackers write below `folder`, or the working directory, and never to a network."""
    below = folder if folder is not None else Path.cwd()
    places = {
        "TENSORBOARD_LOGGING_DIR": str(below / "tensorboard"),
        "WANDB_DIR": str(below),
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
    }
    before = {name: os.environ[name] for name in places if name in os.environ}
    os.environ.update(places)
    try:
        yield
    finally:
        for name in places:
            del os.environ[name]
        os.environ.update(before)
