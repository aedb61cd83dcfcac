"""`npc model train`: a base of the game's own, from what players taught all characters together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from npc_server.base_models.resolution import resolve
from npc_server.commands.command_line import AsJson, ConfigFile, complain, config_of
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import require_base
from npc_server.commands.training.trainer_process import (
    Background,
    base_trainer_flags,
    run_in_terminal,
    trainer_command,
)
from personas.base_repo import BaseRepo


def train(
    name: Annotated[str, typer.Argument(help="Name of the new base, such as town.")],
    full: Annotated[
        bool,
        typer.Option("--full", help="Train all weights, not an adapter to be merged."),
    ] = False,
    base: Annotated[
        str | None,
        typer.Option(
            help="Train it from this GGUF or catalogue name; the served one when left out."
        ),
    ] = None,
    background: Background = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Train a new base on what players wrote for all characters, as a first stage for the cast.

    It serves nobody until npc.toml names it, and no adapter of another base fits.
    Exit code 1: it came out worse or broke off. 3: there is too little feedback.
    """
    config = config_of(config_file)
    if base is not None:
        require_base(base, config.paths.models)
    served = resolve(base or config.model.base, config.paths.models)
    flags = [
        *base_trainer_flags(config, served),
        f"--started-by={os.getpid()}",  # it ends with this process, also when that is killed
        *(["--full"] if full else []),
        *(["--background"] if background else []),
        *(["--json"] if as_json else []),
    ]
    code = run_in_terminal(trainer_command("trainer.own_base.worker", name, *flags), background)
    if code == Exit.DONE:
        _say_next_steps(BaseRepo(config.paths.bases).path(name))
    raise typer.Exit(code)


def _say_next_steps(gguf: Path) -> None:
    complain(str(gguf))
    complain("To go on, train every character on it from its own rows:")
    complain(f"  npc train --all --base {gguf}")
