"""The commands that train: `npc train`, `npc nightly`, and `npc runs` to see what they did."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from npc_server.base_models import catalogue
from npc_server.base_models.errors import BaseModelError, ModelUnavailableError
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    Exit,
    complaints,
    config_of,
    console,
    trainer_flags,
)
from npc_server.commands.night_clock import next_start
from npc_server.commands.trainer_process import Ended, Stopper, attend, command
from npc_server.config import Config
from npc_server.errors import ConfigError, ServerError
from personas.errors import PersonaError
from personas.persona import character_folders

runs_app = typer.Typer(
    help="Training runs: what each was begun on and what came of it.",
    invoke_without_command=True,
    no_args_is_help=False,
)


def train(
    character: Annotated[
        str | None, typer.Argument(help="Character id, such as mira; or --all.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every character, one by one.")] = False,
    base: Annotated[
        str | None,
        typer.Option(
            help="Train for another base: a GGUF file or a catalogue name. Versions for it start"
            " from the same rows and are never promoted here."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="dpo, kto, sft ...; the rows decide when left out.")
    ] = "",
    promote: Annotated[
        bool, typer.Option(help="Make the version live once it is published.")
    ] = True,
    background: Annotated[
        bool, typer.Option("--background", help="Leave the cores to whoever else wants them.")
    ] = False,
    readiness: Annotated[
        bool, typer.Option("--readiness", help="Only tell whether there is enough feedback.")
    ] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Retrain characters from their players' feedback, behind a gate.

    A training that was killed is continued.
    Exit code 1: the gate rejected or the run broke off. 3: too little feedback.
    With --all only a run that broke off counts, with 1.
    """
    if (character is None) is not every:
        raise ConfigError("npc train takes one character, or --all")
    order = _order(config_of(config_file), base, method, promote, background)
    if character is not None and not order.other_base:
        extra = [*(["--readiness"] if readiness else []), *(["--json"] if as_json else [])]
        line = command("trainer.worker", character, *order.flags, *extra)
        raise typer.Exit(attend(line, background))
    if readiness:
        raise ConfigError("--readiness is of one character, and of the base that serves")
    names = [character] if character else _characters(order.config)
    with Stopper() as stopper:
        ended = _train_all(names, order, stopper)
    _show(ended, as_json)
    if order.other_base:
        _tell_how_to_go_on(order.base, ended)
    raise typer.Exit(_exit_of(ended, stopper))


@dataclass(frozen=True)
class _Order:
    """What is to be trained, and how."""

    config: Config
    base: Path
    other_base: bool  # than the one that serves
    flags: list[str]


def _order(
    config: Config, base: str | None, method: str, promote: bool, background: bool
) -> _Order:
    cache = config.paths.cache
    wanted = catalogue.resolve(base or config.model.base, cache)
    other = base is not None and not _serves(config, wanted)
    flags = [
        *trainer_flags(config, wanted),
        f"--method={method}",
        f"--started-by={os.getpid()}",  # it ends with this process, also when that is killed
        "--promote" if promote and not other else "--no-promote",
        *(["--background"] if background else []),
    ]
    return _Order(config, wanted, other, flags)


def _serves(config: Config, base: Path) -> bool:
    try:
        return catalogue.resolve(config.model.base, config.paths.cache).samefile(base)
    except ModelUnavailableError:
        return False


def nightly(
    every: Annotated[
        str | None,
        typer.Option(
            "--every", metavar="HH:MM", help="Every day at this local time, until stopped."
        ),
    ] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Retrain every character that has enough new feedback, at low priority.

    Exit code 1 when a run broke off; a gate that rejects is no failure. SIGTERM and Ctrl-C end it
    at once, and what was unfinished is continued the next time.
    """
    if every is None:
        with Stopper() as stopper:
            ended = _one_night(config_file, stopper, as_json)
        raise typer.Exit(_exit_of(ended, stopper))
    at = _time_of_day(every)
    with Stopper() as stopper:
        while not stopper.asked:
            _tell_next(next_start(time.time(), at))
            stopper.wait_until(lambda now_s: next_start(now_s, at))
            if not stopper.asked:
                _tolerant_night(config_file, stopper, as_json)
    complaints.print("stopped")


def _tolerant_night(config_file: Path | None, stopper: Stopper, as_json: bool) -> None:
    """A night that could not begin is told of; the next one may, when the file is mended."""
    try:
        _one_night(config_file, stopper, as_json)
    except (BaseModelError, ServerError) as error:
        complaints.print(str(error), markup=False, highlight=False, soft_wrap=True)


def _one_night(config_file: Path | None, stopper: Stopper, as_json: bool) -> list[Ended]:
    order = _order(config_of(config_file), None, "", promote=True, background=True)
    ended = _train_all(_characters(order.config), order, stopper)
    _show(ended, as_json)
    return ended


def _time_of_day(text: str) -> Any:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError as error:
        raise ConfigError(f"--every {text!r} is no time of day; write it as 03:00") from error


def _tell_next(moment_s: float) -> None:
    moment = datetime.fromtimestamp(moment_s).astimezone()
    complaints.print(f"next night: {moment:%Y-%m-%d %H:%M %Z}", highlight=False)


def _characters(config: Config) -> list[str]:
    """By folder: a broken persona fails alone, in its own training."""
    try:
        return [folder.name for folder in character_folders(config.paths.characters)]
    except PersonaError as error:
        raise ConfigError(f"{error}; see [paths] characters") from error


def _train_all(names: Iterable[str], order: _Order, stopper: Stopper) -> list[Ended]:
    ended = []
    for name in names:
        if stopper.asked:
            break
        complaints.rule(f"[bold]{name}", align="left")
        ended.append(stopper.train(name, order.flags))
    return ended


def _exit_of(ended: Sequence[Ended], stopper: Stopper) -> Exit:
    broken = [one.character for one in ended if one.failed]
    if broken:
        complaints.print(f"failed: {', '.join(broken)}", style="red", highlight=False)
    return Exit.REFUSED if broken or stopper.asked else Exit.DONE


def _show(ended: Sequence[Ended], as_json: bool) -> None:
    if as_json:
        rows = [{**one.report, "character": one.character, "seconds": one.seconds} for one in ended]
        print(json.dumps(rows))
        return
    table = Table("character", "state", "run", "version", "seconds", "reason")
    for one in ended:
        told = one.report
        run, seconds = str(told.get("run", "")), f"{one.seconds:.0f}"
        table.add_row(one.character, told["state"], run, told["version"], seconds, told["reason"])
    console.print(table)


def _tell_how_to_go_on(base: Path, ended: Sequence[Ended]) -> None:
    versions = [(one.character, one.report["version"]) for one in ended if one.report["version"]]
    if not versions:
        return
    say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    say.print(f'They fit {base} and are not live. To go on: set base = "{base}" in [model] of')
    say.print("npc.toml, restart npc serve, then:")
    for character, version in versions:
        say.print(f"  npc adapters promote {character} {version}")


@runs_app.callback(epilog="Example:  npc runs --json")
def runs(
    context: typer.Context,
    character: Annotated[str, typer.Option(help="Only this character's.")] = "",
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """List training runs, oldest first."""
    if context.invoked_subcommand is None:
        narrowed = [f"--character={character}"] if character else []
        raise typer.Exit(_tables("list", config_file, as_json, *narrowed))


@runs_app.command(epilog="Example:  npc runs show 7")
def show(
    number: Annotated[int, typer.Argument(help="Number, as `npc runs` shows it.")],
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show one run: what it was begun on, its curves, the gate, and where its report is."""
    raise typer.Exit(_tables("show", config_file, as_json, str(number)))


def _tables(name: str, config_file: Path | None, as_json: bool, *arguments: str) -> int:
    """The records are the trainer's, so its process reads them; it loads no model for that."""
    place = f"--runs={config_of(config_file).paths.runs}"
    flags = [place, *(["--json"] if as_json else [])]
    line = command("trainer.records.run_tables", name, *arguments, *flags)
    return subprocess.run(line, check=False).returncode
