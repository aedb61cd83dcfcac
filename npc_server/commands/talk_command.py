"""`npc talk`: a chat with one character, of a running server or of one that lasts as long."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from npc_server.commands.client_calls import Ca, Key, Server, Tls, access_of, address_of, run_client
from npc_server.commands.command_line import ConfigFile, complain, console
from npc_server.commands.completion import Character
from npc_server.commands.exit_codes import Exit

app = typer.Typer()


@app.command(epilog="Example:  npc talk mira --serve --consent  ·  npc talk mira --scene fenn")
def talk(
    character: Character,
    server: Server = None,
    key: Key = "",
    tls: Tls = False,
    ca: Ca = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Start a server as configured for this chat when none runs; it ends with it.",
        ),
    ] = False,
    player: Annotated[str, typer.Option(help="Your player id; terminal-USER when left out.")] = "",
    consent: Annotated[
        bool, typer.Option("--consent", help="Let the character be trained on this chat.")
    ] = False,
    scene: Annotated[
        list[str] | None,
        typer.Option("--scene", help="A character who is there as well; again for each."),
    ] = None,
    remember: Annotated[
        bool,
        typer.Option("--remember", help="Let the character remember you from chat to chat."),
    ] = False,
    config_file: ConfigFile = None,
) -> None:
    """Chat with a character in the terminal, and tell it what you think."""
    from npc_client.client import Client
    from npc_client.talk import talk as chat

    if serve and server:
        raise typer.BadParameter("--serve starts the configured server; leave --server out")
    address, access = address_of(server, config_file), access_of(key, tls, ca)

    async def run() -> None:
        async with (
            _reach(address, serve, config_file) as reached,
            Client(reached, access) as client,
        ):
            name = player or f"terminal-{getpass.getuser()}"
            await chat(client, character, name, console, consent, scene or (), remember)

    try:
        run_client(_until_stopped(run()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _leave_at_once()


@asynccontextmanager
async def _reach(address: str, serve: bool, config_file: Path | None) -> AsyncIterator[str]:
    from npc_client.client import ServerNotReadyError
    from npc_client.server_at_hand import PortTakenError, server_at_hand

    if not serve:
        yield address
        return
    options = ("--config", str(config_file)) if config_file else ()
    try:
        async with server_at_hand(address, options, _note) as reached:
            yield reached
    except PortTakenError as error:
        complain(str(error))
        raise typer.Exit(Exit.USAGE) from error
    except ServerNotReadyError as error:
        complain(str(error))
        raise typer.Exit(Exit.MISSING) from error


async def _until_stopped(chat: Coroutine[Any, Any, None]) -> None:
    """Run a chat; its server is ended too when the terminal is closed or the process stopped."""
    running = asyncio.ensure_future(chat)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    await running


def _note(text: str) -> None:
    console.print(text, style="dim", markup=False, highlight=False)


def _leave_at_once() -> None:
    """End the process although a thread still waits for a line, which nothing can interrupt."""
    with suppress(OSError):  # the terminal may be gone
        console.print()
        sys.stdout.flush()
    os._exit(Exit.DONE)
