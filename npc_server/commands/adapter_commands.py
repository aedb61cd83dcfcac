"""The `npc adapters` commands: which versions of each character exist, and which one is live."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from npc_server.commands.command_line import AsJson, ConfigFile, config_of, console, say
from npc_server.commands.completion import AnyCharacter, Character, Version, adapter_repo
from personas.adapter_repo import AdapterRepo, Aliases
from personas.persona import load_characters

app = typer.Typer(
    name="adapters",
    help="Adapter versions: what exists, what is live.",
    epilog="Example:  npc adapters list",
    no_args_is_help=True,
)

OfHeads = Annotated[
    bool,
    typer.Option("--heads", help="Of reward heads, which choose between replies, not of adapters."),
]


@app.command("list", epilog="Example:  npc adapters list mira --json")
def list_versions(
    character: AnyCharacter = None,
    heads: OfHeads = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List adapter versions, oldest first, with the live one marked."""
    config = config_of(config_file)
    repo = adapter_repo(config, heads)
    names = [character] if character else sorted(load_characters(config.paths.characters))
    rows = [row for name in names for row in _version_rows(repo, name)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    shown = ("character", "version", "method", "parent", "created_at")
    table = Table("live", *shown)
    for row in rows:
        table.add_row("●" if row["live"] else "", *(row[key] for key in shown))
    console.print(table)


def _version_rows(repo: AdapterRepo, character: str) -> list[dict[str, Any]]:
    live = repo.aliases(character).live
    bare = {
        "character": character,
        "version": "base",
        "live": live is None,
        "method": "",
        "parent": "",
        "created_at": "",
        "gate": {},
    }
    versions = [
        {
            "character": character,
            "version": manifest.version,
            "live": manifest.version == live,
            "method": manifest.method,
            "parent": manifest.parent or "base",
            "created_at": manifest.created_at,
            "gate": manifest.gate,
        }
        for manifest in repo.versions(character)
    ]
    return [bare, *versions]


@app.command(epilog="Example:  npc adapters promote mira v0003-9c1d2e4f")
def promote(
    character: Character,
    version: Version,
    heads: OfHeads = False,
    config_file: ConfigFile = None,
) -> None:
    """Make a version live. A running server follows within a second."""
    aliases = adapter_repo(config_of(config_file), heads).promote(character, version)
    _show_live(character, aliases, heads)


@app.command(epilog="Example:  npc adapters rollback mira")
def rollback(
    character: Character,
    heads: OfHeads = False,
    config_file: ConfigFile = None,
) -> None:
    """Make the version live again that was live before."""
    _show_live(character, adapter_repo(config_of(config_file), heads).rollback(character), heads)


def _show_live(character: str, aliases: Aliases, heads: bool) -> None:
    nothing = "no reward head" if heads else "the bare base"
    say(f"{character}: {aliases.live or nothing} is live")
