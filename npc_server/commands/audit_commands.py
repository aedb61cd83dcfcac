"""The `npc audit` commands: who made keys, promoted, exported and deleted, and is it all there."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from feedback_store import audit
from npc_server.commands.command_line import AsJson, ConfigFile, complain, config_of, plural, say
from npc_server.commands.exit_codes import Exit

app = typer.Typer(
    name="audit",
    help="Who made keys, promoted, exported and deleted; and is the record whole.",
    epilog="Example:  npc audit show",
    no_args_is_help=True,
)


@app.command(epilog="Example:  npc audit show --last 20")
def show(
    last: Annotated[int, typer.Option(min=0, help="Only so many of the newest; 0 = all.")] = 0,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show what was done, oldest first."""
    found = list(audit.entries(config_of(config_file).paths.audit))
    for entry in found[-last:]:
        if as_json:
            print(json.dumps({**vars(entry), "about": dict(entry.about)}))
            continue
        about = ", ".join(f"{name} {value}" for name, value in entry.about.items())
        say(f"{entry.number:>5}  {entry.at}  {entry.who}: {entry.action}  {about}")


@app.command(epilog="Example:  npc audit verify --head 3f0c9a…")
def verify(
    head: Annotated[
        str,
        typer.Option(help="Hash of the last entry, as you wrote it down before: it must be there."),
    ] = "",
    config_file: ConfigFile = None,
) -> None:
    """Check that no entry was changed, taken out or put in, and print the hash of the last one.

    Write the hash down elsewhere: with --head it shows that no entries are missing at the end.
    Exit code 1: something is wrong.
    """
    path = config_of(config_file).paths.audit
    verdict = audit.verify(path)
    if verdict.fault:
        complain(f"the chain holds for {plural(verdict.entries, 'line')}; {verdict.fault}")
        raise typer.Exit(Exit.REFUSED)
    hashes = {audit.NOTHING, *(entry.hash for entry in audit.entries(path))}
    if head and head not in hashes:
        complain(f"no entry has the hash {head}: entries are missing, or all were written anew")
        raise typer.Exit(Exit.REFUSED)
    say(f"{plural(verdict.entries, 'line')} in order, up to {verdict.head}")
