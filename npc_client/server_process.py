"""`npc serve` as a child process: started on a free port, ready when its health check says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from npc_client.client import Client, ServerNotReadyError

START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ServerProcess:
    """A running server."""

    process: subprocess.Popen[str]
    address: str
    log: Path


@asynccontextmanager
async def server(
    log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ServerProcess]:
    """Run a server during the block, with extra `NPC_*` variables.

    Raises ServerNotReadyError with the end of its log when it does not come up.
    """
    running = start(log, environment or {})
    try:
        async with Client(running.address) as client:
            await client.wait_until_serving(START_TIMEOUT_S)
        yield running
    finally:
        stop(running)


def start(log: Path, environment: Mapping[str, str]) -> ServerProcess:
    """Start a server and wait for the port it took."""
    command = [sys.executable, "-m", "npc_server.commands.main", "serve", "--port", "0"]
    with log.open("a") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,  # a Ctrl-C in the terminal is for the parent to pass on
        )
    assert process.stdout is not None
    first_line = process.stdout.readline()
    if not first_line.startswith("serving on "):
        process.wait()
        raise ServerNotReadyError(f"the server did not start:\n{log.read_text()[-2000:]}")
    port = int(first_line.removeprefix("serving on "))
    return ServerProcess(process, f"127.0.0.1:{port}", log)


def stop(running: ServerProcess) -> int:
    """Ask the server to end, and kill it after 20 s. Returns its exit code."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    try:
        return running.process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        running.process.kill()
        return running.process.wait()
