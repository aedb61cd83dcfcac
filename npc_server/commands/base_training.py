"""`npc model train`: a base of the game's own, from what players taught all characters together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from npc_server.base_models import catalogue
from npc_server.commands.command_line import AsJson, ConfigFile, Exit, base_trainer_flags, config_of
from npc_server.commands.trainer_process import attend, command
from personas.base_repo import BaseRepo


def train(
    name: Annotated[str, typer.Argument(help="What the new base is to be called, such as town.")],
    full: Annotated[
        bool,
        typer.Option("--full", help="Train all weights; an adapter is merged when left out."),
    ] = False,
    base: Annotated[
        str | None,
        typer.Option(
            help="Train it from this GGUF or catalogue name; the served one when left out."
        ),
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Leave the cores to whoever else wants them.")
    ] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Train a new base on what players wrote for all characters, as a first stage for the cast.

    It serves nobody until npc.toml names it, and no adapter of another base fits.
    Exit code 1: it came out worse or broke off. 3: there is too little feedback.
    """
    config = config_of(config_file)
    served = catalogue.resolve(base or config.model.base, config.paths.cache)
    flags = [
        *base_trainer_flags(config, served),
        f"--started-by={os.getpid()}",  # it ends with this process, also when that is killed
        *(["--full"] if full else []),
        *(["--background"] if background else []),
        *(["--json"] if as_json else []),
    ]
    code = attend(command("trainer.own_base.worker", name, *flags), background)
    if code == Exit.DONE:
        _tell_how_to_go_on(BaseRepo(config.paths.bases).path(name))
    raise typer.Exit(code)


def _tell_how_to_go_on(gguf: Path) -> None:
    say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    say.print(f"{gguf}")
    say.print("To go on, train every character on it from its own rows:")
    say.print(f"  npc train --all --base {gguf}")
