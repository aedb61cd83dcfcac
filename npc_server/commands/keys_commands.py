"""The `npc keys` commands: who may call the server. A running server follows within a second."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from feedback_store.audit import Action
from feedback_store.records import DEFAULT_GAME
from npc_server.commands.auditing import write_down
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    Yes,
    complain,
    config_of,
    confirm,
    console,
    say,
)
from npc_server.commands.exit_codes import Exit
from npc_server.errors import ConfigError
from npc_server.keys.callers import Role
from npc_server.keys.keys_file import Key, add_key, read_keys, revoke_key
from npc_server.keys.signing_keys import rotate_signing_key
from npc_server.limits import check_id

app = typer.Typer(
    name="keys",
    help="Who may call the server: make, list and revoke keys.",
    epilog="Example:  npc keys new 'Saltmere game server' --role game",
    no_args_is_help=True,
)

_MADE_FOR_PLAYERS = "players have no keys: a game mints tokens for them"


@app.command(epilog="Example:  npc keys new 'Saltmere game server' --role game --game saltmere")
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is; shown in lists and in the audit.")],
    role: Annotated[
        list[Role], typer.Option("--role", help="What its holder is; again for each role.")
    ],
    game: Annotated[
        str, typer.Option("--game", help="The game whose sessions and feedback it reaches.")
    ] = DEFAULT_GAME,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Make a key and print it, this once: only a hash of it is kept.

    From the first key on, every call needs one, whoever makes it.
    """
    config = config_of(config_file)
    path = config.paths.keys
    if Role.PLAYER in role:
        raise ConfigError(_MADE_FOR_PLAYERS)
    roles = tuple(dict.fromkeys(role))
    is_first = not read_keys(path)
    made = add_key(path, check_id("NAME", name), roles, check_id("--game", game))
    about = {"key": made.key.key_id, "name": name, "game": game, "roles": " ".join(roles)}
    write_down(config, Action.KEY_MADE, **about)
    if as_json:
        print(json.dumps({**_fields(made.key), "key": str(made.text)}))
        return
    print(made.text)
    complain(f"This is key {made.key.key_id} of {name!r}. It is shown this once: keep it safe.")
    if is_first:
        complain("From now on every call needs a key. Commands read it from NPC_KEY.")


@app.command("list", epilog="Example:  npc keys list --json")
def list_keys(as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """List all keys that were ever made, oldest first, without what they are."""
    rows = [_fields(key) for key in read_keys(config_of(config_file).paths.keys)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        say("no key was ever made: a server on this machine lets everybody on it do everything")
        return
    table = Table("id", "name", "game", "roles", "made at", "revoked at")
    for row in rows:
        table.add_row(
            row["id"],
            row["name"],
            row["game"],
            " ".join(row["roles"]),
            row["made_at"],
            row["revoked_at"] or "",
        )
    console.print(table)


@app.command(epilog="Example:  npc keys revoke k7wq3mzt")
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `npc keys list` shows it.")],
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Revoke a key, for good. A running server refuses it within a second."""
    config = config_of(config_file)
    path = config.paths.keys
    known = {key.key_id: key for key in read_keys(path)}
    if key_id not in known:
        complain(f"no key has the id {key_id!r}; `npc keys list` shows them")
        raise typer.Exit(Exit.USAGE)
    confirm(yes, f"Revoke key {key_id} of {known[key_id].name!r}, for good?")
    revoke_key(path, key_id)
    write_down(config, Action.KEY_REVOKED, key=key_id, name=known[key_id].name)
    say(f"{key_id}: revoked")


@app.command(epilog="Example:  npc keys rotate")
def rotate(config_file: ConfigFile = None) -> None:
    """Sign players' tokens with a new key; those signed with the one before are valid to their end.

    Rotate twice to end all tokens at once. A running server follows within a second.
    """
    config = config_of(config_file)
    made = rotate_signing_key(config.paths.signing_keys)
    write_down(config, Action.SIGNING_KEY_ROTATED, key=made.kid)
    say(f"tokens are signed with {made.kid} from now on")


def _fields(key: Key) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "game": key.game,
        "roles": [role.value for role in key.roles],
        "made_at": key.made_at.isoformat(timespec="seconds"),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(timespec="seconds"),
    }
