"""What the commands share that call a running server: its address, and what its refusals become."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from npc_server.commands.command_line import complain, config_of
from npc_server.commands.exit_codes import Exit

Server = Annotated[
    str | None, typer.Option("--server", help="host:port; the configured one when left out.")
]


def address_of(server: str | None, config_file: Path | None) -> str:
    """Where the server listens: as asked, else as configured."""
    section = config_of(config_file).server
    return server or f"{section.host}:{section.port}"


def run_client(work: Coroutine[Any, Any, None]) -> None:
    """Run a client, and turn a refusal of the server into a message and an exit code."""
    import grpc.aio

    try:
        asyncio.run(work)
    except grpc.aio.AioRpcError as error:
        complain(f"{error.code().name}: {error.details()}")
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            complain("Is the server running? Start it with: npc serve")
        unknown = error.code() is grpc.StatusCode.NOT_FOUND  # a name that was typed
        raise typer.Exit(Exit.USAGE if unknown else Exit.MISSING) from error
