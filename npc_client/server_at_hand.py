"""The server that a chat needs: the one that runs already, or one that is started for it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from npc_client import server_process
from npc_client.client import Client

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 10.0  # of a server that is busy


class PortTakenError(Exception):
    """Another program than a server of characters listens where one is configured."""


@asynccontextmanager
async def server_at_hand(
    address: str, options: Sequence[str], tell: Callable[[str], None]
) -> AsyncIterator[str]:
    """Yield the address of a server, started with `options` of `npc serve` if none runs.

    `address` is host:port; port 0 is always free. `tell` gets a line about each step. A started
    server ends with the block. Raises PortTakenError and ServerNotReadyError.
    """
    if await _listens(address):
        await _require_ours(address)
        tell(f"A server runs on {address} already: this chat uses it and leaves it running.")
        yield address
        return
    tell("Starting a server: it loads the model and says a first word to itself ...")
    begun = time.monotonic()
    host = address.rpartition(":")[0]
    with tempfile.TemporaryDirectory(prefix="npc-server-") as folder:
        log = Path(folder) / "server.log"
        async with server_process.server(log, options=options, host=host) as running:
            seconds = time.monotonic() - begun
            tell(f"Serving on {running.address} after {seconds:.0f} s, until this chat ends.")
            yield running.address


async def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    if port == "0":
        return False
    opening = asyncio.open_connection(host.strip("[]"), int(port))
    try:
        _, writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _require_ours(address: str) -> None:
    async with Client(address) as client:
        if not await client.has_characters(ANSWER_TIMEOUT_S):
            raise PortTakenError(
                f"another program listens on {address}; end it, or take another port: "
                "NPC_SERVER_PORT=7750, or [server] port in npc.toml"
            )
