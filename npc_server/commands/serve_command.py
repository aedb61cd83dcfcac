"""`npc serve`: the server, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from npc_server.commands.command_line import ConfigFile, config_of
from npc_server.commands.exit_codes import Exit
from npc_server.config import Config

app = typer.Typer()


@app.command(epilog="Example:  npc serve --port 7749")
def serve(
    config_file: ConfigFile = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Let strangers in without TLS or keys, if host says so."),
    ] = False,
) -> None:
    """Serve the characters over gRPC until interrupted."""
    from npc_server import logs

    logs.set_up()
    config = config_of(config_file)
    if port is not None:
        section = config.server.model_copy(update={"port": port})
        config = config.model_copy(update={"server": section})
    asked_to_stop = asyncio.run(_serve(config, insecure))
    raise typer.Exit(Exit.DONE if asked_to_stop else Exit.ENGINE_DIED)


async def _serve(config: Config, insecure: bool) -> bool:
    from npc_server import server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # A script reads the port from the first line of standard output.
    return await server.serve(
        config, lambda port: print(f"serving on {port}", flush=True), stop, insecure
    )
