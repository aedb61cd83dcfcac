"""`npc talk`: a chat with one character of a running server."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from npc_server.commands.client_calls import Server, address_of, run_client
from npc_server.commands.command_line import ConfigFile, console
from npc_server.commands.completion import Character

app = typer.Typer()


@app.command(epilog="Example:  npc talk mira --consent")
def talk(
    character: Character,
    server: Server = None,
    player: Annotated[str, typer.Option(help="Your player id; terminal-USER when left out.")] = "",
    consent: Annotated[
        bool, typer.Option("--consent", help="Let the character be trained on this chat.")
    ] = False,
    config_file: ConfigFile = None,
) -> None:
    """Chat with a character in the terminal, and tell it what you think."""
    from npc_client.client import Client
    from npc_client.talk import talk as chat

    async def run() -> None:
        async with Client(address_of(server, config_file)) as client:
            name = player or f"terminal-{getpass.getuser()}"
            await chat(client, character, name, console, training_consent=consent)

    run_client(run())
