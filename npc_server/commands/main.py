"""The `npc` command: flags in, one function called, exit codes out.

Exit codes
  0  done
  1  the work was done and the answer is no (a gate rejected, a training or a demo stage failed),
     or a question was answered with no
  2  wrong usage, wrong configuration, broken persona files
  3  something needed is not there or cannot be used: model, server, version, feedback store,
     backup, extra package
  4  the engine process died again and again
"""

from __future__ import annotations

import asyncio
import getpass
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from feedback_store.errors import FeedbackStoreError
from npc_server.base_models.errors import BaseModelError
from npc_server.commands import (
    adapter_commands,
    feedback_commands,
    model_commands,
    persona_commands,
    stats_command,
    training_commands,
)
from npc_server.commands.client_calls import Server, address_of, run_client
from npc_server.commands.command_line import ConfigFile, Exit, complaints, config_of, console
from npc_server.config import Config
from npc_server.engine.errors import EngineError
from npc_server.errors import ConfigError, ServerError
from personas.errors import AdapterRepoError, PersonaError

app = typer.Typer(
    help="Troupe: game characters that learn from their players.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(adapter_commands.app, name="adapters")
app.add_typer(persona_commands.app, name="persona")
app.add_typer(model_commands.app, name="model")
app.add_typer(feedback_commands.app, name="feedback")
app.add_typer(training_commands.runs_app, name="runs")
app.command(epilog="Example:  npc train mira --no-promote")(training_commands.train)
app.command(epilog='Example:  npc nightly --every "03:00"')(training_commands.nightly)
app.command(epilog="Example:  npc stats --watch")(stats_command.stats)

DEMO_REPORT = Path("demo-report.md")


@app.command(epilog="Example:  npc serve --port 7749")
def serve(
    config_file: ConfigFile = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve the characters over gRPC until interrupted."""
    from npc_server import logs

    logs.set_up()
    config = config_of(config_file)
    if port is not None:
        section = config.server.model_copy(update={"port": port})
        config = config.model_copy(update={"server": section})
    asked_to_stop = asyncio.run(_serve(config))
    raise typer.Exit(Exit.DONE if asked_to_stop else Exit.ENGINE_DIED)


async def _serve(config: Config) -> bool:
    from npc_server import server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # A script reads the port from the first line of standard output.
    return await server.serve(config, lambda port: print(f"serving on {port}", flush=True), stop)


@app.command(epilog="Example:  npc talk mira --consent")
def talk(
    character: Annotated[str, typer.Argument(help="Character id, such as mira.")],
    server: Server = None,
    player: Annotated[str, typer.Option(help="Your pseudonym.")] = "",
    consent: Annotated[
        bool, typer.Option("--consent", help="What is said may be trained on.")
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


@app.command(epilog="Example:  npc demo --report")
def demo(
    report: Annotated[
        bool, typer.Option("--report", help=f"Also write the findings to {DEMO_REPORT}.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the demo's data in this new folder.")
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Monitor the whole loop once: talk, react, train, swap, compare."""
    from npc_client.demo import run

    config_of(config_file)
    raise typer.Exit(
        Exit.DONE if run(console, DEMO_REPORT if report else None, keep) else Exit.REFUSED
    )


_EXIT_OF: tuple[tuple[type[Exception], Exit], ...] = (
    (PersonaError, Exit.USAGE),
    (ConfigError, Exit.USAGE),
    (ServerError, Exit.MISSING),
    (BaseModelError, Exit.MISSING),
    (AdapterRepoError, Exit.MISSING),
    (FeedbackStoreError, Exit.MISSING),
    (EngineError, Exit.MISSING),
)


def main() -> None:
    """Entry point: errors raised on purpose become a message and an exit code."""
    _guarded(app)


def _guarded(command: Callable[[], Any]) -> None:
    try:
        command()
    except tuple(kind for kind, _ in _EXIT_OF) as error:
        complaints.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(next(code for kind, code in _EXIT_OF if isinstance(error, kind)))


if __name__ == "__main__":
    main()
