"""Starting the trainer: a process a character, because it needs packages and memory that nothing
else does, and because what kills one leaves the others alone.

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
from types import FrameType, TracebackType
from typing import Any

WAIT_SLICE_S = 1.0


@dataclass(frozen=True)
class Ended:
    """What one character's training came to."""

    character: str
    report: dict[str, Any]  # what the trainer printed; state, reason and version at least
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether something went wrong; a gate that rejects and waiting are no failures."""
        return self.report["state"] in ("failed", "abandoned")


def command(module: str, *arguments: str) -> list[str]:
    """How a module of the trainer is started."""
    return [sys.executable, "-m", module, *arguments]


def attend(line: Sequence[str], background: bool) -> int:
    """Run a trainer in this terminal, to which it writes itself; its exit code."""
    with subprocess.Popen(line) as process:
        # Ctrl-C reaches the trainer too, which then needs a moment to end in an orderly way. One in
        # the background has left the terminal's session.
        passed_on = (lambda *_: process.terminate()) if background else signal.SIG_IGN
        before = signal.signal(signal.SIGINT, passed_on)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)


class Stopper:
    """Ends a wait or the running trainer when the process is told to end: SIGTERM or Ctrl-C."""

    def __init__(self) -> None:
        self.asked = False
        self._running: subprocess.Popen[str] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stopper:
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
        self.asked = True
        if self._running is not None:
            self._running.terminate()

    def train(self, character: str, flags: Sequence[str]) -> Ended:
        """Train one character; its progress goes to standard error."""
        started = time.monotonic()
        line = command("trainer.worker", character, "--json", *flags)
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            self._running = process
            if self.asked:  # between the characters
                process.terminate()
            printed, _ = process.communicate()
            self._running = None
        report = _report(printed, process.returncode)
        return Ended(character, report, round(time.monotonic() - started, 1))

    def wait_until(self, moment_s: Callable[[float], float]) -> None:
        """Sleep until a moment that is asked for anew as clocks are set; or until told to end."""
        target_s = moment_s(time.time())
        while not self.asked and time.time() < target_s:
            target_s = min(target_s, moment_s(time.time()))  # sooner, if the clock was set back
            time.sleep(min(WAIT_SLICE_S, max(0.0, target_s - time.time())))


def _report(printed: str, code: int) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(printed)
    except ValueError:
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        reason = f"the trainer ended with {how}; an unfinished run is continued the next time"
        return {"state": "failed", "reason": reason, "version": ""}
    return report
