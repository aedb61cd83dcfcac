"""`npc nightly`: every character that has enough new feedback, once or every day."""

from __future__ import annotations

import time
from datetime import datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import Annotated

import typer

from npc_server.base_models.errors import BaseModelError
from npc_server.commands.command_line import AsJson, ConfigFile, complain, complaints, config_of
from npc_server.commands.training import cast_training
from npc_server.commands.training.night_clock import next_start
from npc_server.commands.training.trainer_process import StoppableTrainer, TrainerResult
from npc_server.errors import ConfigError, ServerError

app = typer.Typer()


@app.command(epilog='Example:  npc nightly --every "03:00"')
def nightly(
    every: Annotated[
        str | None,
        typer.Option(
            "--every", metavar="HH:MM", help="Train every day at this local time, until stopped."
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
        with StoppableTrainer() as trainer:
            results = _train_cast(config_file, trainer, as_json)
        raise typer.Exit(cast_training.exit_code(results, trainer))
    at = _time_of_day(every)
    with StoppableTrainer() as trainer:
        while not trainer.stop_requested:
            _announce(next_start(time.time(), at))
            trainer.wait_until(lambda now_s: next_start(now_s, at))
            if not trainer.stop_requested:
                _try_to_train_cast(config_file, trainer, as_json)
    complaints.print("stopped")


def _try_to_train_cast(config_file: Path | None, trainer: StoppableTrainer, as_json: bool) -> None:
    """Report a night that cannot begin; the next one may, once the file is mended."""
    try:
        _train_cast(config_file, trainer, as_json)
    except (BaseModelError, ServerError) as error:
        complain(str(error))


def _train_cast(
    config_file: Path | None, trainer: StoppableTrainer, as_json: bool
) -> list[TrainerResult]:
    request = cast_training.request(config_of(config_file))
    results = cast_training.train_all(cast_training.characters(request.config), request, trainer)
    cast_training.show(results, as_json)
    return results


def _time_of_day(text: str) -> time_of_day:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError as error:
        raise ConfigError(f"--every {text!r} is no time of day; write it as 03:00") from error


def _announce(moment_s: float) -> None:
    moment = datetime.fromtimestamp(moment_s).astimezone()
    complaints.print(f"next night: {moment:%Y-%m-%d %H:%M %Z}", highlight=False)
