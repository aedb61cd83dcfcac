"""What the commands of `npc` share: exit codes, consoles, common options, the configuration."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from npc_server.base_models.own_process import Report
from npc_server.config import Config, load


class Exit(IntEnum):
    """Exit codes, as in the docstring of `npc_server.commands.main`."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    MISSING = 3
    ENGINE_DIED = 4


TRAINER_TABLES = {"training", "gate", "night"}  # of npc.toml; the trainer reads and checks them

console = Console()
complaints = Console(stderr=True)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; ./npc.toml when there is one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def config_of(file: Path | None) -> Config:
    """The configuration as file and environment give it. Raises ConfigError."""
    return load(file, os.environ)


def trainer_flags(config: Config, base: Path | str) -> list[str]:
    """Where the trainer of a character finds everything."""
    paths = config.paths
    places = (f"--adapters={paths.adapters}", f"--heads={paths.heads}", f"--runs={paths.runs}")
    return [*_training_flags(config, base), *places]


def base_trainer_flags(config: Config, base: Path) -> list[str]:
    """Where the trainer of a new base finds everything."""
    return [*_training_flags(config, base), f"--bases={config.paths.bases}"]


def _training_flags(config: Config, base: Path | str) -> list[str]:
    paths = config.paths
    return [
        f"--base={base}",
        f"--characters={paths.characters}",
        f"--store={paths.store}",
        f"--cache={paths.cache}",
        f"--settings={json.dumps(config.model_dump(mode='json', include=TRAINER_TABLES))}",
    ]


@contextlib.contextmanager
def work_progress(shown_on: Console = console) -> Iterator[Report]:
    """A bar that follows what is reported, and is gone at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=shown_on, transient=True) as progress:
        task = progress.add_task("looking")

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None)

        yield report
