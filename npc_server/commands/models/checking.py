"""`npc model check`: what a base can do on this machine, before anything is served."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from npc_server.base_models import resolution
from npc_server.base_models.base_report import BaseReport, Setting, Training, settings_to_use
from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.gguf_file import require_gguf, weight_count
from npc_server.base_models.model_files import file_sha256, read_choice
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import QUICK_IN_4_BITS, Quantization
from npc_server.base_models.speed_trial import TEXT, Speed, SpeedTrial, measure_speeds
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    complaints,
    config_of,
    console,
    work_progress,
)
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import require_base
from npc_server.commands.training.trainer_process import (
    base_check_flags,
    read_report,
    trainer_command,
)
from npc_server.config import Config
from npc_server.engine.base_figures import read_figures
from npc_server.engine.errors import EngineError, ModelLoadError
from npc_server.engine.host_memory import available_bytes
from npc_server.engine.llama import cpu_kernels
from npc_server.engine.planning import plan_placement
from npc_server.engine.protocol import NO_CHAT_TOKENS
from npc_server.engine.vocab import Vocab
from npc_server.engine.worker import EngineConfig
from npc_server.errors import ConfigError
from npc_server.vocabulary import chat_tokens, doubts_about, open_vocab, prompts_of

_MIB = 1 << 20
_GOOD, _BAD, _NOTE = "[green]✓[/]", "[red]✗[/]", "[yellow]–[/]"


def check(
    base: Annotated[
        str | None, typer.Argument(help="Name or GGUF file; [model] base when left out.")
    ] = None,
    serving_only: Annotated[
        bool,
        typer.Option(
            "--serving-only",
            help="Do not look whether it can be trained, which unpacks it: four bytes a weight of"
            " disk and memory, and the packages of the extra `train`.",
        ),
    ] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Say what a base can do here: chat format, mixing, speed, memory, training, settings.

    Nothing is changed; a base unpacked to train on is kept in the cache for the first night.
    Exit code 1: it cannot be served as things are.
    """
    config = config_of(config_file)
    wanted = base or config.model.base
    require_base(wanted, config.paths.models)
    config = _serving(wanted, config)
    with work_progress(complaints) as report:
        found = _examine(wanted, config, report)
    if not serving_only:
        found = replace(found, training=_training(found.path, config))
    advice = settings_to_use(found)
    if as_json:
        print(json.dumps(_as_json(found, advice), indent=2, default=str))
    else:
        _show(found, advice)
    raise typer.Exit(Exit.REFUSED if found.faults else Exit.DONE)


def _serving(base: str, config: Config) -> Config:
    """The configuration as it would be with this base in it."""
    model = config.model.model_copy(update={"base": base})
    return config.model_copy(update={"model": model})


def _examine(wanted: str, config: Config, report: Report) -> BaseReport:
    """Look at everything but training. Raises BaseModelError, ModelLoadError."""
    path = resolution.resolve(wanted, config.paths.models)
    require_gguf(path)
    sha256 = _require_recorded(wanted, path, config, report)
    vocab, chat_fault = _open_vocab(path, config)
    trial, fault = _trial(path, vocab, chat_fault, config, report)
    return BaseReport(
        base=wanted,
        path=path,
        file_bytes=path.stat().st_size,
        sha256=sha256,
        weights=weight_count(path),
        figures=read_figures(path),
        settings=config.engine.settings,
        trained_tokens=vocab.trained_tokens,
        prompts=() if chat_fault else tuple(prompts_of(vocab)),
        thought_tokens=config.model.thought_room,
        chat_fault=chat_fault,
        doubts=tuple(doubts_about(path, vocab, config.engine.context_tokens)),
        trial=trial,
        engine_fault=fault,
        room_fault=_room_fault(path, config),
        free_bytes=available_bytes(),
        training=Training(None, "not looked at: --serving-only"),
        quantizable=_quantizable(wanted, config),
    )


def _require_recorded(wanted: str, path: Path, config: Config, report: Report) -> str:
    """The file's sha256. Raises ModelUnavailableError when a name stands for another file."""
    sha256 = file_sha256(path, report)
    model = resolution.find(wanted, config.paths.models)
    if model and model.sha256 and _is_original(wanted, config) and sha256 != model.sha256:
        raise ModelUnavailableError(
            f"{path} is not the file that {wanted} stands for: sha256 {sha256[:16]}…, recorded"
            f" {model.sha256[:16]}…; fetch it again with: {model.pull_command}"
        )
    return sha256


def _quantizable(wanted: str, config: Config) -> bool:
    """Whether another quantization can be made of it, and would be quick."""
    named = resolution.find(wanted, config.paths.models) is not None
    return named and _is_original(wanted, config) and bool(cpu_kernels() & QUICK_IN_4_BITS)


def _is_original(wanted: str, config: Config) -> bool:
    model = resolution.find(wanted, config.paths.models)
    choice = read_choice(model, config.paths.cache) if model else None
    return choice is None or choice.chosen is Quantization.ORIGINAL


def _open_vocab(path: Path, config: Config) -> tuple[Vocab, str]:
    """The vocabulary as it would serve; the second is why it cannot, as the server says it."""
    try:
        return open_vocab(config)[1], ""
    except ConfigError as error:
        return Vocab(path), str(error)


def _trial(
    path: Path, vocab: Vocab, chat_fault: str, config: Config, report: Report
) -> tuple[SpeedTrial | None, str]:
    """Run the engine; the second is why it does not run."""
    tokens = vocab.encode(TEXT.read_text("utf-8"))
    chat = NO_CHAT_TOKENS if chat_fault else chat_tokens(vocab)
    try:
        return measure_speeds(path, tokens, config.engine.settings, chat, report), ""
    except EngineError as error:
        return None, f"the engine does not run it: {error}"


def _room_fault(path: Path, config: Config) -> str:
    """Why it does not fit as it is configured, and what would; "" = it does."""
    asked = EngineConfig.of(path, config.engine.settings)
    try:
        plan_placement(path, asked.shape, asked.options, asked.hardware)
    except ModelLoadError as error:
        return str(error)
    return ""


def _training(path: Path, config: Config) -> Training:
    """Ask the trainer, in a process of its own."""
    line = trainer_command(
        "trainer.base_check", *base_check_flags(config, path), f"--started-by={os.getpid()}"
    )
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=False)
    found = read_report(done.stdout, done.returncode)
    return Training(
        found["state"] == "ready",
        found["reason"],
        found.get("least_cosine", 0.0),
        found.get("explained_cosine", 0.0),
        tuple(found.get("layers", ())),
    )


# Showing it


def _show(found: BaseReport, advice: list[Setting]) -> None:
    table = Table.grid(padding=(0, 2))
    for mark, what, said in _lines(found):
        table.add_row(mark, what, Text(said))
    console.print(table)
    console.print()
    for setting in advice:
        console.print(f"  {setting.line}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"      {setting.why}", style="dim", markup=False, highlight=False)


def _lines(found: BaseReport) -> Iterator[tuple[str, str, str]]:
    size = f"{found.file_bytes / _MIB:,.0f} MiB, sha256 {found.sha256[:16]}…"
    yield _GOOD, "file", f"{found.path}, {size}"
    yield from _chat_lines(found)
    yield from _engine_lines(found)
    yield _memory_line(found)
    yield _training_line(found.training)


def _chat_lines(found: BaseReport) -> Iterator[tuple[str, str, str]]:
    if found.chat_fault:
        yield _BAD, "chat format", found.chat_fault
    else:
        yield _GOOD, "chat format", "; ".join(found.prompts)
        yield _GOOD, "context", _context(found)
    for doubt in found.doubts:
        yield _NOTE, "", doubt


def _context(found: BaseReport) -> str:
    trained = f"{found.trained_tokens:,} tokens in training" if found.trained_tokens else "unknown"
    thought = f", {found.thought_tokens:,} of them for a thought" if found.thought_tokens else ""
    return f"{trained}, {found.settings.context_tokens:,} in [engine]{thought}"


def _engine_lines(found: BaseReport) -> Iterator[tuple[str, str, str]]:
    if found.trial is None:
        yield _BAD, "engine", found.engine_fault
        return
    trial = found.trial
    yield _GOOD, "engine", f"{trial.description} ({trial.architecture})"
    if trial.batching_reason:
        yield _NOTE, "mixing", f"turns are grouped by adapter: {trial.batching_reason}"
    else:
        yield _GOOD, "mixing", f"{trial.batching}; the self-test passed"
    for speed in trial.speeds:
        each, all_turns = speed.tokens_per_s, speed.all_tokens_per_s
        said = f"{each:.1f} tokens/s each, {all_turns:.0f} in all, first after"
        turns = f"{speed.turns} turn{'s' * (speed.turns > 1)}"
        yield (
            _GOOD,
            turns,
            f"{said} {speed.first_token_ms:,.0f} ms at most{_thought_wait(found, speed)}",
        )


def _thought_wait(found: BaseReport, speed: Speed) -> str:
    """How long a thought may keep the first word waiting."""
    if not found.thought_tokens:
        return ""
    return f", and a thought of up to {found.thought_tokens / speed.tokens_per_s:,.1f} s"


def _memory_line(found: BaseReport) -> tuple[str, str, str]:
    if found.room_fault:
        return _BAD, "memory", found.room_fault
    free = "" if found.free_bytes is None else f", {found.free_bytes / _MIB:,.0f} free"
    caches = f"caches up to {found.memory.caches / _MIB:,.0f} more"
    return _GOOD, "memory", f"{found.memory.host.text}; {caches}{free}"


def _training_line(training: Training) -> tuple[str, str, str]:
    if training.possible is None:
        return _NOTE, "training", training.reason
    if not training.possible:
        return _NOTE, "training", f"cannot be trained here: {training.reason}"
    compared = f"served and unpacked logits agree: cosine {training.least_cosine:.5f}"
    return _GOOD, "training", f"{compared} (rounding explains {training.explained_cosine:.5f})"


def _as_json(found: BaseReport, advice: list[Setting]) -> dict[str, Any]:
    return {
        **asdict(found),
        "memory": {**asdict(found.memory), "bytes": found.memory.bytes},
        "faults": found.faults,
        "settings_to_use": [asdict(setting) for setting in advice],
    }
