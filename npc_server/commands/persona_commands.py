"""The `npc persona` commands: what a designer does with the files of a cast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npc_server.commands import (
    persona_check,
    persona_diff,
    persona_edit,
    persona_start,
    persona_status,
)
from npc_server.commands.card_commands import export_card, import_card
from npc_server.commands.cast_sizes import vocab_of
from npc_server.commands.client_calls import Ca, Key, Server, Tls, access_of, address_of, run_client
from npc_server.commands.command_line import AsJson, ConfigFile, config_of, say
from npc_server.commands.completion import complete_character
from npc_server.commands.known_names import require_known
from npc_server.commands.lore_test import EXAMPLE, lore_test
from npc_server.commands.persona_places import character_of, folder_of, folders_of
from personas.json_schemas import MODELS, schema_text, write_schemas

app = typer.Typer(
    name="persona",
    help="Persona files.",
    epilog="Example:  npc persona new wanda --in my_cast",
    no_args_is_help=True,
)

_OF_CAST = "Ids of the configured cast, or folders; the whole cast when left out."

app.command("import", epilog="Example:  npc persona import tamsin.png --name tamsin")(import_card)
app.command("export", epilog="Example:  npc persona export mira --to mira.charx")(export_card)


app.command("lore-test", epilog=f"Example:  {EXAMPLE}")(lore_test)


@app.command("new", epilog="Example:  npc persona new wanda --in my_cast")
def new(
    name: Annotated[str, typer.Argument(help="Id of the character, such as wanda.")],
    root: Annotated[
        Path | None,
        typer.Option("--in", help="Folder of characters; the configured one when left out."),
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Write a commented character to begin with; it can be served as it is."""
    config = config_of(config_file)
    folder = persona_start.write_starter(persona_start.cast_folder(root, config), name)
    say(f"{folder}: a character to begin with. Edit its files, then: npc persona check {folder}")


@app.command("check", epilog="Example:  npc persona check mira fenn  ·  npc persona check my_cast/")
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help=_OF_CAST, autocompletion=complete_character)
    ] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Check persona files, and show every problem of every file with its line and column.

    Tokens are counted with the configured base and its context_tokens. What is allowed and yet
    hardly meant is a warning. Exit code 2: something is wrong.
    """
    config = config_of(config_file)
    found = persona_check.find_out(folders_of(names or [], config), config)
    if as_json:
        raise typer.Exit(persona_check.print_json(found))
    persona_check.show(found)


@app.command("diff", epilog="Example:  npc persona diff backup/mira my_cast/mira")
def diff(
    before: Annotated[
        str,
        typer.Argument(
            help="Id of the configured cast, or folder.", autocompletion=complete_character
        ),
    ],
    after: Annotated[str, typer.Argument(help="The other one.", autocompletion=complete_character)],
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show what two characters say differently: by key, in the prompt, in tokens."""
    config = config_of(config_file)
    pair = [character_of(name, config) for name in (before, after)]
    (persona_diff.print_json if as_json else persona_diff.show)(pair[0], pair[1], vocab_of(config))


@app.command("set", epilog="Example:  npc persona set mira voice.max_sentences 3")
def set_value(
    character: Annotated[
        str,
        typer.Argument(
            help="Id of the configured cast, or folder.", autocompletion=complete_character
        ),
    ],
    key: Annotated[
        str,
        typer.Argument(help="Such as voice.style, lore.facts[1].fact, probes[2].ask."),
    ],
    value: Annotated[str, typer.Argument(help="The value, as YAML has it.")],
    config_file: ConfigFile = None,
) -> None:
    """Set one value of a character's files; comments and order stay as they are.

    Nothing is saved that `npc persona check` would refuse.
    """
    config = config_of(config_file)
    persona_edit.edit(folder_of(character, config), config, key, value)


@app.command("status", epilog="Example:  npc persona status mira")
def status(
    character: Annotated[
        str | None,
        typer.Argument(help="All when left out.", autocompletion=complete_character),
    ] = None,
    server: Server = None,
    key: Key = "",
    tls: Tls = False,
    ca: Ca = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Ask a running server whether it serves what was saved last, and if not, why.

    Exit code 2: something that was saved is broken.
    """
    from npc_client.client import Client

    async def ask() -> None:
        async with Client(address_of(server, config_file), access_of(key, tls, ca)) as client:
            answer = await client.persona_status(character or "")
        raise typer.Exit((persona_status.print_json if as_json else persona_status.show)(answer))

    run_client(ask())


@app.command("schema", epilog="Example:  npc persona schema --out my_cast/.schemas")
def schema(
    name: Annotated[
        str | None, typer.Argument(help=f"One of: {', '.join(MODELS)}; all when left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write NAME.schema.json into this folder.")
    ] = None,
) -> None:
    """Print the JSON Schema of a file, or write all of them, for editors that complete keys."""
    names = tuple(MODELS) if name is None else (name,)
    for one in names:
        require_known("schema", one, MODELS)
    if out is not None:
        for file in write_schemas(out, names):
            say(str(file))
        return
    for one in names:
        print(schema_text(one), end="")
