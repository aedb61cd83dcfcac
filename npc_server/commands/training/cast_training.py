"""Training characters one after another, as `npc train` and `npc nightly` do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.resolution import resolve
from npc_server.commands.command_line import complaints, console
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import require_base
from npc_server.commands.training.trainer_process import (
    StoppableTrainer,
    TrainerResult,
    trainer_flags,
)
from npc_server.config import Config
from npc_server.errors import ConfigError
from personas.errors import PersonaError
from personas.persona_files import character_folders


@dataclass(frozen=True)
class TrainingRequest:
    """What to train, and how."""

    config: Config
    base: Path
    other_base: bool  # than the one that serves
    flags: list[str]


def request(
    config: Config,
    base: str | None = None,
    method: str = "",
    promote: bool = True,
    background: bool = True,
) -> TrainingRequest:
    """What the flags of a command ask for. Raises ModelUnavailableError."""
    if base is not None:
        require_base(base, config.paths.models)
    wanted = resolve(base or config.model.base, config.paths.models)
    other = base is not None and not _serves(config, wanted)
    flags = [
        *trainer_flags(config, wanted),
        f"--method={method}",
        f"--started-by={os.getpid()}",  # it ends with this process, also when that is killed
        "--promote" if promote and not other else "--no-promote",
        *(["--background"] if background else []),
    ]
    return TrainingRequest(config, wanted, other, flags)


def _serves(config: Config, base: Path) -> bool:
    try:
        return resolve(config.model.base, config.paths.models).samefile(base)
    except ModelUnavailableError:
        return False


def characters(config: Config) -> list[str]:
    """The ids of all characters, by folder: a broken persona fails alone, in its own training.

    Raises ConfigError when there are none.
    """
    try:
        return [folder.name for folder in character_folders(config.paths.characters)]
    except PersonaError as error:
        raise ConfigError(f"{error}; see [paths] characters") from error


def train_all(
    names: Iterable[str], request: TrainingRequest, trainer: StoppableTrainer
) -> list[TrainerResult]:
    """Train each character in turn, until the trainer is told to stop."""
    results = []
    for name in names:
        if trainer.stop_requested:
            break
        complaints.rule(f"[bold]{name}", align="left")
        results.append(trainer.train(name, request.flags))
    return results


def show(results: Sequence[TrainerResult], as_json: bool) -> None:
    """Print what each training came to."""
    if as_json:
        rows = [
            {**one.report, "character": one.character, "seconds": one.seconds} for one in results
        ]
        print(json.dumps(rows))
        return
    table = Table("character", "state", "run", "version", "seconds", "reason")
    for one in results:
        row = one.report
        run, seconds = str(row.get("run", "")), f"{one.seconds:.0f}"
        table.add_row(one.character, row["state"], run, row["version"], seconds, row["reason"])
    console.print(table)


def exit_code(results: Sequence[TrainerResult], trainer: StoppableTrainer) -> Exit:
    """Name the characters whose training broke off; the exit code of them all."""
    broken = [one.character for one in results if one.failed]
    if broken:
        complaints.print(f"failed: {', '.join(broken)}", style="red", highlight=False)
    return Exit.REFUSED if broken or trainer.stop_requested else Exit.DONE
