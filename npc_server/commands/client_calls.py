"""What the commands share that call a running server: its address, and what its refusals become."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npc_server.commands.command_line import complain, config_of
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import require_there
from npc_server.config import KEY_VARIABLE

if TYPE_CHECKING:
    from npc_client.access import Access

Server = Annotated[
    str | None, typer.Option("--server", help="host:port; the configured one when left out.")
]
Key = Annotated[
    str,
    typer.Option(
        "--key",
        envvar=KEY_VARIABLE,
        show_envvar=True,
        help="Key or token for the server; better in the variable, which no process list shows.",
    ),
]
Tls = Annotated[bool, typer.Option("--tls", help="Talk to the server over TLS.")]
Ca = Annotated[
    Path | None,
    typer.Option("--ca", help="PEM file of the authority to trust, over TLS; public ones if none."),
]


def access_of(key: str, tls: bool, ca: Path | None) -> Access:
    """How to get in, as asked. Raises ConfigError."""
    from npc_client.access import Access

    if ca is not None:
        require_there("file", ca)
    return Access(key, tls or ca is not None, ca)


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
