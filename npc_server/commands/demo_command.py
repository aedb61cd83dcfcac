"""`npc demo`: the whole loop once, with a server and data of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npc_server.commands.command_line import ConfigFile, config_of, console
from npc_server.commands.exit_codes import Exit

REPORT = Path("demo-report.md")

app = typer.Typer()


@app.command(epilog="Example:  npc demo --report")
def demo(
    report: Annotated[
        bool, typer.Option("--report", help=f"Also write the findings to {REPORT}.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the demo's data in this new folder.")
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Watch the whole loop once: talk, react, train, swap, compare."""
    from npc_client.demo import run

    config_of(config_file)
    passed = run(console, REPORT if report else None, keep)
    raise typer.Exit(Exit.DONE if passed else Exit.REFUSED)
