"""`npc train`: one character now, or all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from npc_server.commands.command_line import AsJson, ConfigFile, complain, config_of
from npc_server.commands.completion import complete_character
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import require_known
from npc_server.commands.training import cast_training
from npc_server.commands.training.trainer_process import (
    Background,
    StoppableTrainer,
    TrainerResult,
    run_in_terminal,
    trainer_command,
)
from npc_server.errors import ConfigError

app = typer.Typer()


@app.command(epilog="Example:  npc train mira --no-promote")
def train(
    character: Annotated[
        str | None,
        typer.Argument(
            help="Character id, such as mira; or --all.", autocompletion=complete_character
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Train every character, one by one.")
    ] = False,
    base: Annotated[
        str | None,
        typer.Option(
            help="Train for another base: a GGUF file or a catalogue name. Versions for it start"
            " from the same rows and are never promoted here."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="Train by dpo, kto, sft ...; the rows decide when left out.")
    ] = "",
    promote: Annotated[
        bool, typer.Option(help="Make the version live once it is published.")
    ] = True,
    background: Background = False,
    readiness: Annotated[
        bool, typer.Option("--readiness", help="Only say whether there is enough feedback.")
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
    config = config_of(config_file)
    if character is not None:
        require_known("character", character, cast_training.characters(config))
    request = cast_training.request(config, base, method, promote, background)
    if character is not None and not request.other_base:
        extra = [*(["--readiness"] if readiness else []), *(["--json"] if as_json else [])]
        line = trainer_command("trainer.worker", character, *request.flags, *extra)
        raise typer.Exit(run_in_terminal(line, background))
    if readiness:
        raise ConfigError("--readiness is about one character, and the base that serves")
    names = [character] if character else cast_training.characters(request.config)
    raise typer.Exit(_train_in_turn(names, request, as_json))


def _train_in_turn(
    names: Sequence[str], request: cast_training.TrainingRequest, as_json: bool
) -> Exit:
    with StoppableTrainer() as trainer:
        results = cast_training.train_all(names, request, trainer)
    cast_training.show(results, as_json)
    if request.other_base:
        _say_next_steps(request.base, results)
    return cast_training.exit_code(results, trainer)


def _say_next_steps(base: Path, results: Sequence[TrainerResult]) -> None:
    versions = [(one.character, one.report["version"]) for one in results if one.report["version"]]
    if not versions:
        return
    complain(f'They fit {base} and are not live. To go on: set base = "{base}" in [model] of')
    complain("npc.toml, restart npc serve, then:")
    for character, version in versions:
        complain(f"  npc adapters promote {character} {version}")
