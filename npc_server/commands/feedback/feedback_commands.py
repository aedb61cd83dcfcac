"""The `npc feedback` commands: what an operator asks of the feedback store, and does to it.

All of them may be used while a server is serving from the same store.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    Yes,
    config_of,
    confirm,
    console,
    say,
    work_progress,
)
from npc_server.commands.completion import AnyCharacter
from npc_server.commands.feedback import deletion, export, report
from npc_server.commands.feedback.store_access import (
    characters_asked_for,
    ensure_pseudonyms,
    open_store,
)
from npc_server.commands.known_names import require_there

app = typer.Typer(
    name="feedback",
    help="What players said and thought: figures, exports, backups, deletion.",
    epilog="Example:  npc feedback stats",
    no_args_is_help=True,
)


@app.command(epilog="Example:  npc feedback stats mira")
def stats(
    character: AnyCharacter = None, as_json: AsJson = False, config_file: ConfigFile = None
) -> None:
    """Show what players did, what they think of each version, and what training makes of it."""
    config = config_of(config_file)
    with open_store(config) as store:
        names = characters_asked_for(config, store, character)
        figures = [store.statistics(name) for name in names]
    prospects = report.ask_trainer(config, names)
    if as_json:
        print(json.dumps(report.as_json(figures, prospects), indent=2))
        return
    for table in report.tables(figures, prospects, in_detail=character is not None):
        console.print(table)
        console.print()


app.command(
    epilog="Example:  npc feedback export mira --format dpo --split train --out mira.jsonl"
)(export.export)


@app.command("backup", epilog="Example:  npc feedback backup backups/2026-03-01.db")
def back_up(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config_file: ConfigFile = None,
) -> None:
    """Copy the store while it is in use, and check the copy."""
    from feedback_store import backup

    config = config_of(config_file)
    with work_progress() as report:
        backup.back_up(config.paths.store, file, replace=force, on_progress=report)
    say(f"{config.paths.store} is backed up in {file}, checked and readable by you alone")


@app.command(epilog="Example:  npc feedback restore backups/2026-03-01.db")
def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Replace what is stored now by a backup, after backing it up."""
    from feedback_store import backup

    config = config_of(config_file)
    require_there("backup", file)
    confirm(yes, f"Replace all feedback in {config.paths.store} by that of {file}?")
    with work_progress() as report:
        before = backup.restore(file, config.paths.store, report)
    with open_store(config) as store:  # an old release stored players' ids as sent
        ensure_pseudonyms(config, store)
    say(f"{file} is restored. A running server goes on with it")
    if before:
        say(f"What was stored before is in {before}")


app.command(epilog="Example:  npc feedback forget player-4711")(deletion.forget)
app.command(epilog="Example:  npc feedback purge --dry-run")(deletion.purge)


@app.command(epilog="Example:  npc feedback path")
def path(config_file: ConfigFile = None) -> None:
    """Print where the store's file is, or will be."""
    print(config_of(config_file).paths.store)
