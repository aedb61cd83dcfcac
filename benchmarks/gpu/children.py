"""Child processes of the benchmark: each has the device alone, and a limit of time."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.errors import PeerBrokeError
from benchmarks.gpu.random_base import Width
from benchmarks.gpu.workspace import Workspace

_ERROR = re.compile(r"[\w.]+(?:Error|Exception|Interrupt|Exit)\b")
_MOST_CHARACTERS = 600


async def run_child(
    workspace: Workspace, module: str, *arguments: str, limit_s: float
) -> dict[str, Any]:
    """Run a module of this package; return the JSON of its last line.

    It ends after `limit_s`, and with the time of the whole run. Raises PeerBrokeError.
    """
    limit = min(limit_s, workspace.extent.seconds_left)
    if limit <= 0:
        raise PeerBrokeError("the time of the whole run is over")
    log = workspace.scratch / f"{module}.log"
    with log.open("w") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"benchmarks.gpu.{module}", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        try:
            printed, _ = await asyncio.wait_for(process.communicate(), limit)
        except TimeoutError as error:
            raise PeerBrokeError(f"{module} took longer than {limit:.0f} s") from error
        finally:
            await _end(process)
    if process.returncode != 0:
        raise PeerBrokeError(f"{module}: {last_error(log.read_text())}")
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


async def ensure_random_base(workspace: Workspace, width: Width, limit_s: float) -> Path:
    """Make the folder of random weights unless it is there. Raises PeerBrokeError."""
    folder = workspace.scratch / width.name
    if not folder.is_dir():
        device = f"--device={workspace.extent.device}"
        arguments = (str(folder), json.dumps(asdict(width)), device)
        await run_child(workspace, "random_base", *arguments, limit_s=limit_s)
    return folder


def last_error(said: str) -> str:
    """The error that a traceback ends with, in one line."""
    lines = said.strip().splitlines()
    begins = [at for at, line in enumerate(lines) if _ERROR.match(line)]
    return " ".join(lines[begins[-1] :] if begins else lines)[:_MOST_CHARACTERS]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
