"""`npc serve` as a child process: ready when its health check says so, ended with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from npc_client.client import Client, ServerNotReadyError

START_TIMEOUT_S = 60.0
FREE_PORT = ("--port", "0")


@dataclass(frozen=True)
class ServerProcess:
    """A running server."""

    process: subprocess.Popen[str]
    address: str
    log: Path


@asynccontextmanager
async def server(
    log: Path,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = FREE_PORT,
    host: str = "127.0.0.1",
) -> AsyncIterator[ServerProcess]:
    """Run a server during the block, with extra `NPC_*` variables and options of `npc serve`.

    `host` is where it can be reached. Raises ServerNotReadyError with the end of its log when it
    does not come up.
    """
    process = _launch(log, environment or {}, options)
    try:
        port = await asyncio.to_thread(
            _port, process, log
        )  # a cancelled wait ends with the process
        running = ServerProcess(process, f"{host}:{port}", log)
        async with Client(running.address) as client:
            await client.wait_until_serving(START_TIMEOUT_S)
        yield running
    finally:
        _end(process)


def start(
    log: Path, environment: Mapping[str, str], options: Sequence[str] = FREE_PORT
) -> ServerProcess:
    """Start a server on this machine and wait until it listens."""
    process = _launch(log, environment, options)
    return ServerProcess(process, f"127.0.0.1:{_port(process, log)}", log)


def stop(running: ServerProcess) -> int:
    """Ask the server to end, and kill it after 20 s. Returns its exit code."""
    return _end(running.process)


def _launch(
    log: Path, environment: Mapping[str, str], options: Sequence[str]
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "npc_server.commands.main", "serve", *options]
    with log.open("a") as errors:
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,  # a Ctrl-C in the terminal is for the parent to pass on
        )


def _port(process: subprocess.Popen[str], log: Path) -> int:
    """Wait for the port that a launched server took."""
    assert process.stdout is not None
    first_line = process.stdout.readline()
    if not first_line.startswith("serving on "):
        process.wait()
        end = log.read_text("utf-8", "replace")[-2000:]
        raise ServerNotReadyError(f"the server did not start:\n{end}")
    return int(first_line.removeprefix("serving on "))


def _end(process: subprocess.Popen[str]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
