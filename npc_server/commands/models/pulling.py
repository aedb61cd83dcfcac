"""`npc model pull`: fetching a base model, and choosing how it is quantized."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Annotated, Literal

import typer
from rich.table import Table

from npc_server.base_models.catalogue import DEFAULT_MODEL, NamedModel
from npc_server.base_models.errors import BaseModelError
from npc_server.base_models.model_files import cached_path, read_choice
from npc_server.base_models.quantization import (
    Costs,
    Quantization,
    Trial,
    perplexity_ratio,
    turn_ms,
)
from npc_server.base_models.resolution import serving_path
from npc_server.base_models.sources import HubSource
from npc_server.commands.command_line import (
    ConfigFile,
    complain,
    config_of,
    console,
    plural,
    say,
    work_progress,
)
from npc_server.commands.models.named_models import (
    bases_trained_on,
    ensure_pinned,
    ensure_terms_accepted,
    require_model,
)
from npc_server.config import Config
from npc_server.engine.errors import ModelLoadError
from npc_server.errors import ConfigError

AUTO = "auto"
Wanted = Literal["auto", "original", "q8_0", "q4_mix", "iq4_nl", "q4_0"]
_MIB = 1 << 20


def pull(
    name: Annotated[
        str, typer.Argument(help="Name, as `npc model list` shows it.")
    ] = DEFAULT_MODEL,
    quantize: Annotated[
        Wanted | None,
        typer.Option(
            help="Serve another quantization: auto measures all on this machine, for a minute or"
            " two, and takes the fastest good one; original goes back to the file as fetched."
            " When left out, what was chosen before stays; of the embedded base, before the first"
            " training, what is best as a rule on such a CPU is made and chosen. Adapters fit one"
            " exact file: after a change, characters speak with the bare base until they are"
            " trained again."
        ),
    ] = None,
    accept_license: Annotated[
        bool,
        typer.Option("--accept-license", help="Accept the licence of a model that asks for it."),
    ] = False,
    config_file: ConfigFile = None,
) -> None:
    """Fetch a base model into the cache, check it, and choose how it is quantized.

    A download that broke off goes on where it was. Models of a hub need the extra `hub`.
    """
    config = config_of(config_file)
    cache = config.paths.cache
    model = require_model(name, config)
    ensure_terms_accepted(model, config, accept_license)
    model = ensure_pinned(model, config)
    if isinstance(model.source, HubSource) and not cached_path(model, cache).is_file():
        say(f"Fetching {model.source}, {model.size_bytes / _MIB:,.0f} MiB")
    try:
        _choose(model, config, quantize)
    except KeyboardInterrupt:
        complain(f"stopped; what has arrived stays: go on with {model.pull_command}")
        raise
    choice = read_choice(model, cache)
    if choice and choice.trial and quantize == AUTO:
        console.print(_trial_table(choice.trial, choice.chosen))
    say(f"{name} is at {serving_path(model, cache)}")
    _say_next_step(model, config)


def _say_next_step(model: NamedModel, config: Config) -> None:
    if model.name == config.model.base:
        warn_of_served(config)
    else:
        say(f"See what it can do here: npc model check {model.name}")
        say(f'Serve it: [model] base = "{model.name}" in npc.toml')


def warn_of_served(config: Config) -> None:
    """Tell what is doubtful about the base that serves; one that is not here is shown as such."""
    from npc_server.vocabulary import doubts_about, open_vocab

    with suppress(BaseModelError, ModelLoadError, ConfigError):
        path, vocab = open_vocab(config)
        for doubt in doubts_about(path, vocab, config.engine.context_tokens):
            complain(f"warning: {doubt}")


def _choose(model: NamedModel, config: Config, wanted: Wanted | None) -> None:
    from npc_server.base_models import base_choice

    threads = config.engine.threads or os.cpu_count() or 1
    files = base_choice.ModelFiles(model, config.paths.cache, threads)
    with work_progress() as report:
        if wanted is None:
            base_choice.ensure_chosen(files, bases_trained_on(config), report)
        elif wanted == AUTO:
            base_choice.choose_best(files, report)
        else:
            base_choice.choose(files, Quantization(wanted), report)


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
