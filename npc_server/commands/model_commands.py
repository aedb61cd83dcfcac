"""The `npc model` commands: fetching base models, choosing how they are quantized, making one."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Column, Table

from npc_server.base_models import catalogue
from npc_server.base_models.errors import BaseModelError
from npc_server.base_models.quantization import (
    Costs,
    Quantization,
    Trial,
    perplexity_ratio,
    turn_ms,
)
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    complain,
    config_of,
    console,
    plural,
    say,
    work_progress,
)
from npc_server.commands.training import base_training
from npc_server.config import Config
from npc_server.engine.errors import ModelLoadError
from npc_server.errors import ConfigError
from personas.adapter_repo import AdapterRepo
from personas.known_names import instead_of

app = typer.Typer(
    name="model",
    help="Base models.",
    epilog="Example:  npc model list",
    no_args_is_help=True,
)

AUTO = "auto"
Wanted = Literal["auto", "original", "q8_0", "q4_mix", "iq4_nl", "q4_0"]


@app.command("pull", epilog="Example:  npc model pull --quantize auto")
def pull(
    name: Annotated[str, typer.Argument(help="Catalogue name.")] = catalogue.DEFAULT_MODEL,
    quantize: Annotated[
        Wanted | None,
        typer.Option(
            help="Serve another quantization: auto measures all on this machine, for a minute or"
            " two, and takes the fastest good one; original goes back to the file as fetched."
            " When left out, what was chosen before stays; before the first training, what is best"
            " as a rule on such a CPU is made and chosen. Adapters fit one exact file: after a"
            " change, characters speak with the bare base until they are trained again."
        ),
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Fetch a base model into the cache, check it, and choose how it is quantized."""
    config = config_of(config_file)
    model, cache = _catalogue_model(name), config.paths.cache
    _choose(model, config, quantize)
    choice = catalogue.read_choice(model, cache)
    if choice and choice.trial and quantize == AUTO:
        console.print(_trial_table(choice.trial, choice.chosen))
    say(f"{name} is at {catalogue.resolve(name, cache)}")
    _warn(config)


def _choose(model: catalogue.CatalogueModel, config: Config, wanted: Wanted | None) -> None:
    from npc_server.base_models import base_choice

    threads = config.engine.threads or os.cpu_count() or 1
    files = base_choice.ModelFiles(model, config.paths.cache, threads)
    with work_progress() as report:
        if wanted is None:
            base_choice.ensure_chosen(files, _bases_trained_on(config), report)
        elif wanted == AUTO:
            base_choice.choose_best(files, report)
        else:
            base_choice.choose(files, Quantization(wanted), report)


def _bases_trained_on(config: Config) -> frozenset[str]:
    voices, heads = AdapterRepo(config.paths.adapters), AdapterRepo(config.paths.heads)
    return voices.bases() | heads.bases()


def _catalogue_model(name: str) -> catalogue.CatalogueModel:
    if name not in catalogue.CATALOGUE:
        hint = instead_of(name, catalogue.CATALOGUE)
        raise ConfigError(f"no model {name!r} in the catalogue{hint}")
    return catalogue.CATALOGUE[name]


def _trial_table(trial: Trial, chosen: Quantization) -> Table:
    rule = trial.rule
    table = Table(
        "",
        "quantization",
        "MiB",
        "prefill tok/s",
        *(f"ms per step of {n}" for n in sorted(trial.candidates[0].decode_ms)),
        "ms per turn",
        "perplexity",
        "KL, nats",
        title=f"Best (median) on {trial.cpu}, {plural(trial.threads, 'thread')}",
        caption=f"Chosen: the least time of a turn of {rule.prompt_tokens} new prompt tokens and"
        f" {rule.reply_tokens} spoken ones, {rule.sequences} at once, among those of at most"
        f" {rule.perplexity_limit:g} × the original's perplexity; within {rule.tie:.0%}, the least"
        " perplexity.",
    )
    for one in trial.candidates:
        table.add_row("●" if one.quantization is chosen else "", *_trial_row(one, trial))
    return table


def _trial_row(one: Costs, trial: Trial) -> list[str]:
    steps = [spread for _, spread in sorted(one.decode_ms.items())]
    return [
        one.quantization,
        str(one.file_bytes >> 20),
        f"{one.prefill_tok_s.best:.0f} ({one.prefill_tok_s.median:.0f})",
        *(f"{step.best:.1f} ({step.median:.1f})" for step in steps),
        f"{turn_ms(one, trial.rule):.0f}",
        f"{one.perplexity:.2f} (× {perplexity_ratio(one, trial.candidates):.3f})",
        f"{one.kl_nats:.3f}",
    ]


app.command("train", epilog="Example:  npc model train town --full")(base_training.train)


@app.command("list", epilog="Example:  npc model list --json")
def list_models(as_json: AsJson = False, config_file: ConfigFile = None) -> None:
    """List the catalogue, which files of it are here, and which one serves."""
    config = config_of(config_file)
    cache = config.paths.cache
    rows = [_model_row(model, cache) for model in catalogue.CATALOGUE.values()]
    _warn(config)
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    where = Column("where", overflow="fold")
    table = Table("name", "license", "serves", "quantization", "MiB", "context", where)
    for row in rows:
        for file in row["files"] or [{"quantization": "original", "path": "not here"}]:
            size = str(file.get("mebibytes", row["mebibytes"]))
            serves = "●" if file["path"] == row["path"] else ""
            trained = str(row["trained_tokens"] or "")
            table.add_row(
                row["name"],
                row["license"],
                serves,
                file["quantization"],
                size,
                trained,
                file["path"],
            )
    console.print(table)


def _warn(config: Config) -> None:
    """Tell what is doubtful about the base that serves; one that is not here is shown as such."""
    from npc_server.vocabulary import doubts_about, open_vocab

    with suppress(BaseModelError, ModelLoadError, ConfigError):
        path, vocab = open_vocab(config)
        for doubt in doubts_about(path, vocab, config.engine.context_tokens):
            complain(f"warning: {doubt}")


def _trained_tokens(path: Path | None) -> int:
    """Tokens of context that a base was trained on; 0 = that cannot be read."""
    from npc_server.engine.llama import Vocab

    try:
        return Vocab(path).trained_tokens if path else 0
    except ModelLoadError:
        return 0


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
        "trained_tokens": _trained_tokens(here.get(serving)),  # of context; 0 = unknown
        "files": [
            {"quantization": q, "mebibytes": path.stat().st_size >> 20, "path": str(path)}
            for q, path in here.items()
        ],
    }
