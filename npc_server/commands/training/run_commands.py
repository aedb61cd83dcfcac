"""The `npc runs` commands: what training runs were begun on, and what came of them.

The records are the trainer's, so its process reads them; it loads no model for that.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from npc_server.commands.command_line import AsJson, ConfigFile, config_of
from npc_server.commands.completion import complete_character
from npc_server.commands.known_names import cast_of
from npc_server.commands.training.trainer_process import trainer_command

app = typer.Typer(
    name="runs",
    help="Training runs: what each was begun on and what came of it.",
    invoke_without_command=True,
)


@app.callback(epilog="Example:  npc runs --json")
def list_runs(
    context: typer.Context,
    character: Annotated[
        str,
        typer.Option(help="Only the runs of this character.", autocompletion=complete_character),
    ] = "",
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List training runs, oldest first."""
    if context.invoked_subcommand is None:
        cast = sorted(cast_of(config_of(config_file))) if character else []
        narrowed = [f"--character={character}"] if character else []
        narrowed += [f"--known={name}" for name in cast]
        raise typer.Exit(_print_table("list", config_file, as_json, *narrowed))


@app.command(epilog="Example:  npc runs show 7")
def show(
    number: Annotated[int, typer.Argument(help="Number, as `npc runs` shows it.")],
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show one run: what it was begun on, its curves, the gate, and where its report is."""
    raise typer.Exit(_print_table("show", config_file, as_json, str(number)))


def _print_table(name: str, config_file: Path | None, as_json: bool, *arguments: str) -> int:
    place = f"--runs={config_of(config_file).paths.runs}"
    flags = [place, *(["--json"] if as_json else [])]
    line = trainer_command("trainer.records.run_tables", name, *arguments, *flags)
    return subprocess.run(line, check=False).returncode
