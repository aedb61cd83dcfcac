"""The `npc persona` commands: what a designer asks about the files of a cast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npc_server.commands.command_line import ConfigFile, config_of, console
from personas.persona import load_characters

app = typer.Typer(help="Persona files.", no_args_is_help=True)


# With `check` alone typer would make it the group itself.
@app.callback()
def _group() -> None: ...


@app.command("check", epilog="Example:  npc persona check characters/")
def check(
    folder: Annotated[Path | None, typer.Argument(help="A folder of characters.")] = None,
    config_file: ConfigFile = None,
) -> None:
    """Check persona files; every problem of every file, with file and line."""
    characters = load_characters(folder or config_of(config_file).paths.characters)
    for persona in characters.values():
        lore = persona.lore
        console.print(
            f"{persona.id}: {persona.name}, {len(lore.facts)} facts, {len(lore.secrets)} secrets, "
            f"{len(persona.probes)} probes, version {persona.version}"
        )
