"""Tests of how processes begin and end, beside a busy machine.

What trains in the background gets a core only while nobody else wants one, so that a test would
wait for as long as something else is running on the machine.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.memory import family
from trainer.priority import LOWEST

LOOK_EVERY_S = 0.1


@contextmanager
def share_with_background() -> Iterator[None]:
    """Give every process started inside its share of the cores, whatever it asked for."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY_S):
            for process in family(os.getpid())[1:]:
                _share_with(Path(f"/proc/{process}"))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _share_with(process: Path) -> None:
    with suppress(OSError):  # it has ended since, or this is not allowed
        for thread in (int(task.name) for task in (process / "task").iterdir()):
            if os.sched_getscheduler(thread) == os.SCHED_IDLE:
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        session = process / "autogroup"
        if session.exists() and session.read_text().endswith(f" nice {LOWEST}\n"):
            session.write_text("0\n")
