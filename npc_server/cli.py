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
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import grpc.aio
import typer
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from feedback_store.errors import FeedbackStoreError
from npc_server import base_training, feedback_commands, training_commands
from npc_server.base_models import catalogue
from npc_server.base_models.errors import BaseModelError
from npc_server.base_models.quantization import Quantization, Trial, perplexity_ratio, turn_ms
from npc_server.command_line import (
    AsJson,
    ConfigFile,
    Exit,
    complaints,
    config_of,
    console,
    work_progress,
)
from npc_server.config import Config
from npc_server.engine.errors import EngineError
from npc_server.errors import ConfigError, ServerError
from personas.adapter_repo import AdapterRepo, Aliases
from personas.errors import AdapterRepoError, PersonaError
from personas.persona import load_characters

if TYPE_CHECKING:
    from npc_client.client import Client
    from npc_server.engine.protocol import Stats
    from npc_server.figures import Figures


app = typer.Typer(
    help="Troupe: game characters that learn from their players.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
adapters_app = typer.Typer(
    help="Adapter versions: what exists, what is live.", no_args_is_help=True
)
persona_app = typer.Typer(help="Persona files.", no_args_is_help=True)
model_app = typer.Typer(help="Base models.", no_args_is_help=True)
app.add_typer(adapters_app, name="adapters")
app.add_typer(persona_app, name="persona")
app.add_typer(model_app, name="model")
app.add_typer(feedback_commands.app, name="feedback")
app.add_typer(training_commands.runs_app, name="runs")
app.command(epilog="Example:  npc train mira --no-promote")(training_commands.train)
app.command(epilog='Example:  npc nightly --every "03:00"')(training_commands.nightly)

DEMO_REPORT = Path("demo-report.md")
AUTO = "auto"
Wanted = Literal["auto", "original", "q8_0", "q4_mix", "iq4_nl", "q4_0"]

OfHeads = Annotated[
    bool, typer.Option("--heads", help="Of the reward heads, which choose between replies.")
]
Server = Annotated[
    str | None, typer.Option("--server", help="host:port; the configured one when left out.")
]


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
        async with Client(_address(server, config_file)) as client:
            name = player or f"terminal-{getpass.getuser()}"
            await chat(client, character, name, console, training_consent=consent)

    _run(run())


@app.command(epilog="Example:  npc stats --watch")
def stats(
    watch: Annotated[bool, typer.Option("--watch", help="Once a second, until Ctrl-C.")] = False,
    server: Server = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show what a running server's engine does: speed, waiting, adapters, cache."""
    from npc_client.client import Client

    async def run() -> None:
        async with Client(_address(server, config_file)) as client:
            await (_print_stats if as_json else _show_stats)(client, watch)

    _run(run())


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
    from npc_server.figures import lines

    table = Table.grid(padding=(0, 2))
    for name, text in lines(now, shown):
        table.add_row(name, Text(text))
    return table


async def _readings(client: Client, watch: bool) -> AsyncIterator[tuple[Stats, Figures]]:
    """Stats and the figures of the second before, once or every second."""
    from npc_server.convert import engine_stats
    from npc_server.figures import figures

    before, asked_s = engine_stats(await client.stats()), time.monotonic()
    while True:
        await asyncio.sleep(1)
        now, earlier_s, asked_s = engine_stats(await client.stats()), asked_s, time.monotonic()
        yield now, figures(before, now, asked_s - earlier_s)
        if not watch:
            return
        before = now


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
    """Watch the whole loop once: talk, react, train, swap, compare."""
    from npc_client.demo import run

    config_of(config_file)
    raise typer.Exit(
        Exit.DONE if run(console, DEMO_REPORT if report else None, keep) else Exit.REFUSED
    )


@adapters_app.command("list", epilog="Example:  npc adapters list mira --json")
def adapters_list(
    character: Annotated[
        str | None, typer.Argument(help="Character id; all when left out.")
    ] = None,
    heads: OfHeads = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List adapter versions, oldest first, with the live one marked."""
    config = config_of(config_file)
    repo = _repo(config, heads)
    names = [character] if character else sorted(load_characters(config.paths.characters))
    rows = [row for name in names for row in _version_rows(repo, name)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    shown = ("character", "version", "method", "parent", "created_at")
    table = Table("live", *shown)
    for row in rows:
        table.add_row("●" if row["live"] else "", *(row[key] for key in shown))
    console.print(table)


def _version_rows(repo: AdapterRepo, character: str) -> list[dict[str, Any]]:
    live = repo.aliases(character).live
    bare = {
        "character": character,
        "version": "base",
        "live": live is None,
        "method": "",
        "parent": "",
        "created_at": "",
        "gate": {},
    }
    versions = [
        {
            "character": character,
            "version": manifest.version,
            "live": manifest.version == live,
            "method": manifest.method,
            "parent": manifest.parent or "base",
            "created_at": manifest.created_at,
            "gate": manifest.gate,
        }
        for manifest in repo.versions(character)
    ]
    return [bare, *versions]


@adapters_app.command(epilog="Example:  npc adapters promote mira v0003-9c1d2e4f")
def promote(
    character: Annotated[str, typer.Argument(help="Character id.")],
    version: Annotated[str, typer.Argument(help="Version, as `npc adapters list` shows it.")],
    heads: OfHeads = False,
    config_file: ConfigFile = None,
) -> None:
    """Make a version live. A running server follows within a second."""
    aliases = _repo(config_of(config_file), heads).promote(character, version)
    _show_live(character, aliases, heads)


@adapters_app.command(epilog="Example:  npc adapters rollback mira")
def rollback(
    character: Annotated[str, typer.Argument(help="Character id.")],
    heads: OfHeads = False,
    config_file: ConfigFile = None,
) -> None:
    """Make the version live again that was live before."""
    _show_live(character, _repo(config_of(config_file), heads).rollback(character), heads)


def _repo(config: Config, heads: bool) -> AdapterRepo:
    return AdapterRepo(config.paths.heads if heads else config.paths.adapters)


def _show_live(character: str, aliases: Aliases, heads: bool) -> None:
    nothing = "no reward head" if heads else "the bare base"
    console.print(f"{character}: {aliases.live or nothing} is live")


@persona_app.command("check", epilog="Example:  npc persona check characters/")
def persona_check(
    folder: Annotated[Path | None, typer.Argument(help="A folder of characters.")] = None,
    config_file: ConfigFile = None,
) -> None:
    """Check persona files; every problem of every file, with file and line."""
    characters = load_characters(folder or config_of(config_file).paths.characters.expanduser())
    for persona in characters.values():
        lore = persona.lore
        console.print(
            f"{persona.id}: {persona.name}, {len(lore.facts)} facts, {len(lore.secrets)} secrets, "
            f"{len(persona.probes)} probes, version {persona.version}"
        )


@model_app.command("pull", epilog="Example:  npc model pull --quantize auto")
def model_pull(
    name: Annotated[str, typer.Argument(help="Catalogue name.")] = catalogue.DEFAULT_MODEL,
    quantize: Annotated[
        Wanted | None,
        typer.Option(
            help="Serve another quantization: auto measures all on this machine, for a minute or"
            " two, and takes the fastest good one; original goes back to the file as fetched."
            " What was chosen before when left out. Adapters fit one exact file: after a change,"
            " characters speak with the bare base until they are trained again."
        ),
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Fetch a base model into the cache, check it, and choose how it is quantized."""
    from npc_server.base_models import base_choice

    config = config_of(config_file)
    shelf = base_choice.Shelf(
        _catalogue_model(name),
        config.paths.cache.expanduser(),
        config.engine.threads or os.cpu_count() or 1,
    )
    with work_progress() as report:
        if quantize is None:
            base_choice.keep(shelf, report)
        elif quantize == AUTO:
            base_choice.take_best(shelf, report)
        else:
            base_choice.take(shelf, Quantization(quantize), report)
    choice = catalogue.read_choice(shelf.model, shelf.cache_dir)
    if choice and choice.trial and quantize == AUTO:
        console.print(_trial_table(choice.trial, choice.chosen))
    console.print(f"{name} is at {catalogue.resolve(name, shelf.cache_dir)}", soft_wrap=True)


def _catalogue_model(name: str) -> catalogue.CatalogueModel:
    if name not in catalogue.CATALOGUE:
        raise ConfigError(
            f"no model {name!r} in the catalogue; known: {', '.join(catalogue.CATALOGUE)}"
        )
    return catalogue.CATALOGUE[name]


def _trial_table(trial: Trial, chosen: Quantization) -> Table:
    rule = trial.rule
    steps = sorted(trial.candidates[0].decode_ms)
    table = Table(
        "",
        "quantization",
        "MiB",
        "prefill tok/s",
        *(f"ms a step of {n}" for n in steps),
        "ms a turn",
        "perplexity",
        "KL, nats",
        title=f"Best (median) on {trial.cpu}, {trial.threads} threads",
        caption=f"Chosen: the least time of a turn of {rule.prompt_tokens} new prompt tokens and"
        f" {rule.reply_tokens} spoken ones, {rule.sequences} at once, among those of at most"
        f" {rule.perplexity_limit:g} × the original's perplexity; within {rule.tie:.0%}, the least"
        " perplexity.",
    )
    for one in trial.candidates:
        table.add_row(
            "●" if one.quantization is chosen else "",
            one.quantization,
            str(one.file_bytes >> 20),
            f"{one.prefill_tok_s.best:.0f} ({one.prefill_tok_s.median:.0f})",
            *(f"{one.decode_ms[n].best:.1f} ({one.decode_ms[n].median:.1f})" for n in steps),
            f"{turn_ms(one, rule):.0f}",
            f"{one.perplexity:.2f} (× {perplexity_ratio(one, trial.candidates):.3f})",
            f"{one.kl_nats:.3f}",
        )
    return table


model_app.command("train", epilog="Example:  npc model train town --full")(base_training.train)


@model_app.command("list", epilog="Example:  npc model list --json")
def model_list(as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """List the catalogue, which files of it are here, and which one serves."""
    cache = config_of(config_file).paths.cache.expanduser()
    rows = [_model_row(model, cache) for model in catalogue.CATALOGUE.values()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    where = Column("where", overflow="fold")
    table = Table("name", "license", "serves", "quantization", "MiB", where)
    for row in rows:
        for file in row["files"] or [{"quantization": "original", "path": "not here"}]:
            size = str(file.get("mebibytes", row["mebibytes"]))
            serves = "●" if file["path"] == row["path"] else ""
            table.add_row(
                row["name"], row["license"], serves, file["quantization"], size, file["path"]
            )
    console.print(table)


def _model_row(model: catalogue.CatalogueModel, cache: Path) -> dict[str, Any]:
    choice = catalogue.read_choice(model, cache)
    serving = choice.chosen if choice else Quantization.ORIGINAL
    here = catalogue.files_here(model, cache)
    return {
        "name": model.name,
        "license": model.license,
        "mebibytes": model.size_bytes >> 20,  # as fetched
        "quantization": serving,  # the one that serves
        "path": str(here.get(serving, "")),
        "files": [
            {"quantization": q, "mebibytes": path.stat().st_size >> 20, "path": str(path)}
            for q, path in here.items()
        ],
    }


def _address(server: str | None, config_file: Path | None) -> str:
    section = config_of(config_file).server
    return server or f"{section.host}:{section.port}"


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run a client; what the server refuses becomes a message and an exit code."""
    try:
        asyncio.run(work)
    except grpc.aio.AioRpcError as error:
        complaints.print(f"{error.code().name}: {error.details()}", markup=False)
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            complaints.print("Is the server running? Start it with: npc serve")
        raise typer.Exit(Exit.MISSING) from error


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
