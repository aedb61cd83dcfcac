"""The `npc adapters` commands: which versions of each character exist, and which one is live."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from feedback_store.audit import Action
from npc_server.commands.auditing import write_down
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    complain,
    config_of,
    console,
    say,
)
from npc_server.commands.completion import AnyCharacter, Character, Version, adapter_repo
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import cast_of, require_known, require_there, with_versions
from npc_server.config import Config
from npc_server.errors import ConfigError
from personas.adapter_repo import AdapterRepo, Aliases, Manifest
from personas.persona import Persona
from personas.persona_files import load_characters

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
    if character:
        _require_character(config, character)
    cast = {} if character else _cast(config)
    names = [character] if character else sorted(cast)
    rows = [row for name in names for row in _version_rows(repo, name)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    shown = ("character", "version", "method", "parent", "created_at")
    table = Table("live", *shown, "gate")
    for row in rows:
        mark, said = "●" if row["live"] else "", gate_word(row["gate"])
        table.add_row(mark, *(row[key] for key in shown), said)
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
        "source": "",
        "license": "",
    }
    return [bare, *(_version_row(manifest, live) for manifest in repo.versions(character))]


def _version_row(manifest: Manifest, live: str | None) -> dict[str, Any]:
    return {
        "character": manifest.character,
        "version": manifest.version,
        "live": manifest.version == live,
        "method": manifest.method,
        "parent": manifest.parent or "base",
        "created_at": manifest.created_at,
        "gate": manifest.gate,
        "source": manifest.source,
        "license": manifest.license,
    }


def gate_word(gate: Mapping[str, Any]) -> str:
    """What the gate said of a version, in a word or two; "" = unknown."""
    if "skipped" in gate:
        return "not gated"
    return "" if "passed" not in gate else "passed" if gate["passed"] else "rejected"


@app.command(
    epilog="Example:  npc adapters add mira ./lora --source 'our own, 2026' --license CC-BY-4.0"
)
def add(
    character: Character,
    folder: Annotated[Path, typer.Argument(help="The adapter, as PEFT saves it.")],
    source: Annotated[str, typer.Option(help="Where it comes from; asked for when left out.")] = "",
    license_name: Annotated[
        str, typer.Option("--license", help="Under which it may be used; asked for likewise.")
    ] = "",
    gate: Annotated[
        bool, typer.Option(help="Have it judged first, which needs the training packages.")
    ] = True,
    promote: Annotated[bool, typer.Option("--promote", help="Make it live at once.")] = False,
    same_base: Annotated[
        bool, typer.Option("--same-base", help="It was made for the served base by another name.")
    ] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Publish an adapter that was made elsewhere as a version; it is not live until promoted.

    The engine loads it and has it speak, and the gate looks for harm, or, where players have said
    enough, for gain too. With --no-gate it is marked as not gated. The same content is published
    once.
    Exit code 1: the gate rejected it.
    """
    from npc_server.commands import adapter_adding as adding

    config = config_of(config_file)
    require_there("folder", folder)
    persona, repo = _persona(config, character), adapter_repo(config, heads=False)
    offer = adding.Offer(
        folder,
        _ask_unless_given("--source", "Where does it come from", source),
        _ask_unless_given("--license", "Under which license", license_name),
        gate=gate,
        same_base=same_base,
    )
    added = adding.ensure_published(config, persona, repo, offer)
    if added.version is None:
        complain(f"not published: {added.why_not}")
        raise typer.Exit(Exit.REFUSED if added.rejected else Exit.MISSING)
    aliases = repo.promote(character, added.version.version) if promote else repo.aliases(character)
    if promote:
        _write_down(config, Action.PROMOTED, character, aliases)
    if as_json:
        print(json.dumps({**_version_row(added.version, aliases.live), "new": added.is_new}))
    else:
        _say_added(added.version, is_new=added.is_new, live=aliases.live)


def _ask_unless_given(option: str, question: str, given: str) -> str:
    """What was given, or what is answered now. Raises ConfigError where nobody can answer."""
    answer = given.strip()
    if not answer and sys.stdin.isatty():
        answer = str(typer.prompt(question, err=True)).strip()
    if not answer:
        raise ConfigError(f"{option} is missing: say where the adapter comes from and its license")
    return answer


def _persona(config: Config, character: str) -> Persona:
    cast = _cast(config)
    require_known("character", character, cast)
    return cast[character]


def _say_added(version: Manifest, *, is_new: bool, live: str | None) -> None:
    character, name = version.character, version.version
    say(
        f"{character}: {name} published, {gate_word(version.gate)}"
        if is_new
        else f"{character}: {name} has the same content already"
    )
    if live == name:
        say(f"{character}: {name} is live")
    else:
        say(f"To make it live:  npc adapters promote {character} {name}")


@app.command(epilog="Example:  npc adapters promote mira v0003-9c1d2e4f")
def promote(
    character: Character,
    version: Version,
    heads: OfHeads = False,
    config_file: ConfigFile = None,
) -> None:
    """Make a version live. A running server follows within a second."""
    config = config_of(config_file)
    _require_character(config, character)
    repo = adapter_repo(config, heads)
    what = f"reward head of {character}" if heads else f"version of {character}"
    require_known(what, version, (one.version for one in repo.versions(character)))
    aliases = repo.promote(character, version)
    _write_down(config, Action.PROMOTED, character, aliases, heads)
    _show_live(character, aliases, heads)


@app.command(epilog="Example:  npc adapters rollback mira")
def rollback(
    character: Character,
    heads: OfHeads = False,
    config_file: ConfigFile = None,
) -> None:
    """Make the version live again that was live before."""
    config = config_of(config_file)
    _require_character(config, character)
    aliases = adapter_repo(config, heads).rollback(character)
    _write_down(config, Action.ROLLED_BACK, character, aliases, heads)
    _show_live(character, aliases, heads)


def _write_down(
    config: Config, action: Action, character: str, aliases: Aliases, heads: bool = False
) -> None:
    what = {"head" if heads else "version": aliases.live or "base"}
    write_down(config, action, character=character, **what)


def _require_character(config: Config, character: str) -> None:
    require_known("character", character, cast_of(config) | with_versions(config))


def _show_live(character: str, aliases: Aliases, heads: bool) -> None:
    nothing = "no reward head" if heads else "the bare base"
    say(f"{character}: {aliases.live or nothing} is live")


def _cast(config: Config) -> dict[str, Persona]:
    root = config.paths.characters
    return load_characters(root, config.paths.worlds_of(root))
