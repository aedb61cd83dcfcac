"""Starting the trainer: one process per character, because it needs packages and memory that
nothing else does, and because what kills one leaves the others alone.

A trainer that is stopped or killed leaves an unfinished run, which the next one continues.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any

import typer

from npc_server.config import Config

WAIT_SLICE_S = 1.0
#: Tables of npc.toml. The trainer reads and checks the first three; the gate serves by the others.
TRAINER_TABLES = {"training", "gate", "night", "engine", "lore"}

Background = Annotated[
    bool,
    typer.Option("--background", help="Run at low priority, so that other programs come first."),
]


@dataclass(frozen=True)
class TrainerResult:
    """What one character's training came to."""

    character: str
    report: dict[str, Any]  # what the trainer printed; state, reason and version at least
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether something went wrong; a gate that rejects and waiting are no failures."""
        return self.report["state"] in ("failed", "abandoned")


def trainer_command(module: str, *arguments: str) -> list[str]:
    """The command line that starts a module of the trainer."""
    return [sys.executable, "-m", module, *arguments]


def trainer_flags(config: Config, base: Path | str) -> list[str]:
    """Where the trainer of a character finds everything."""
    paths = config.paths
    places = (f"--adapters={paths.adapters}", f"--heads={paths.heads}", f"--runs={paths.runs}")
    return [*_training_flags(config, base), *places]


def base_trainer_flags(config: Config, base: Path) -> list[str]:
    """Where the trainer of a new base finds everything."""
    return [*_training_flags(config, base), f"--bases={config.paths.bases}"]


def base_check_flags(config: Config, base: Path | str) -> list[str]:
    """The base as it is served, and how it would be trained."""
    template = config.model.chat_template
    return [
        f"--base={base}",
        *([f"--chat-template={template}"] if template else []),
        f"--cache={config.paths.cache}",
        f"--settings={_trainer_settings(config)}",
    ]


def _training_flags(config: Config, base: Path | str) -> list[str]:
    paths = config.paths
    places = [f"--characters={paths.characters}", f"--store={paths.store}"]
    places += [f"--worlds={paths.worlds}"] if paths.worlds else []
    return [*base_check_flags(config, base), *places]


def _trainer_settings(config: Config) -> str:
    """The tables that the trainer reads, as JSON."""
    return json.dumps(config.model_dump(mode="json", include=TRAINER_TABLES))


def run_in_terminal(line: Sequence[str], background: bool) -> int:
    """Run a trainer that writes to this terminal itself, and return its exit code."""
    with subprocess.Popen(line) as process:
        # Ctrl-C reaches the trainer too, which then needs a moment to end in an orderly way. One in
        # the background has left the terminal's session.
        on_interrupt = (lambda *_: process.terminate()) if background else signal.SIG_IGN
        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)


class StoppableTrainer:
    """Trains and waits, until SIGTERM or Ctrl-C ends the wait or the running trainer."""

    def __init__(self) -> None:
        self.stop_requested = False
        self._running: subprocess.Popen[str] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StoppableTrainer:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requested = True
        if self._running is not None:
            self._running.terminate()

    def train(self, character: str, flags: Sequence[str]) -> TrainerResult:
        """Train one character; its progress goes to standard error."""
        started = time.monotonic()
        line = trainer_command("trainer.worker", character, "--json", *flags)
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            self._running = process
            if self.stop_requested:  # between the characters
                process.terminate()
            printed, _ = process.communicate()
            self._running = None
        report = read_report(printed, process.returncode)
        return TrainerResult(character, report, round(time.monotonic() - started, 1))

    def wait_until(self, moment_s: Callable[[float], float]) -> None:
        """Sleep until a moment, asked for anew as clocks are set, or until told to stop."""
        target_s = moment_s(time.time())
        while not self.stop_requested and time.time() < target_s:
            target_s = min(target_s, moment_s(time.time()))  # sooner, if the clock was set back
            time.sleep(min(WAIT_SLICE_S, max(0.0, target_s - time.time())))


def read_report(printed: str, code: int) -> dict[str, Any]:
    """What a trainer printed, or how it ended without a word."""
    try:
        report: dict[str, Any] = json.loads(printed)
    except ValueError:
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        reason = f"the trainer ended with {how}; an unfinished run is continued the next time"
        return {"state": "failed", "reason": reason, "version": ""}
    return report
