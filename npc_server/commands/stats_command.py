"""`npc stats`: what a running server's engine does, once or every second."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from npc_server.commands.client_calls import Ca, Key, Server, Tls, access_of, address_of, run_client
from npc_server.commands.command_line import AsJson, ConfigFile, console

if TYPE_CHECKING:
    from npc_client.client import Client
    from npc_server.commands.figures import Figures
    from npc_server.engine.protocol import Stats

app = typer.Typer()


@app.command(epilog="Example:  npc stats --watch")
def stats(
    watch: Annotated[
        bool, typer.Option("--watch", help="Repeat it every second, until Ctrl-C.")
    ] = False,
    server: Server = None,
    key: Key = "",
    tls: Tls = False,
    ca: Ca = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show what a running server's engine does: speed, waiting, adapters, cache."""
    from npc_client.client import Client

    async def run() -> None:
        async with Client(address_of(server, config_file), access_of(key, tls, ca)) as client:
            await (_print_stats if as_json else _show_stats)(client, watch)

    run_client(run())


async def _print_stats(client: Client, watch: bool) -> None:
    async for now, shown in _readings(client, watch):
        print(json.dumps({"figures": asdict(shown), "stats": asdict(now)}), flush=True)


async def _show_stats(client: Client, watch: bool) -> None:
    if not watch:
        async for now, shown in _readings(client, watch):
            console.print(_stats_table(now, shown))
        return
    with Live(console=console, auto_refresh=False) as live:
        async for now, shown in _readings(client, watch):
            live.update(_stats_table(now, shown), refresh=True)


def _stats_table(now: Stats, shown: Figures) -> Table:
    from npc_server.commands.figures import lines

    table = Table.grid(padding=(0, 2))
    for name, text in lines(now, shown):
        table.add_row(name, Text(text))
    return table


async def _readings(client: Client, watch: bool) -> AsyncIterator[tuple[Stats, Figures]]:
    """Stats and the figures of the second before, once or every second."""
    from npc_server.commands.figures import figures
    from npc_server.convert.adapters import engine_stats

    before, asked_s = engine_stats(await client.stats()), time.monotonic()
    while True:
        await asyncio.sleep(1)
        now, earlier_s, asked_s = engine_stats(await client.stats()), asked_s, time.monotonic()
        yield now, figures(before, now, asked_s - earlier_s)
        if not watch:
            return
        before = now
