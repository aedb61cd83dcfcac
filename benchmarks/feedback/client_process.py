"""Start the clients' process, and read what it did."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from benchmarks.errors import PeerBrokeError
from benchmarks.feedback.clients import Tally, Workload


class ClientProcess:
    """The clients of one workload, connected and not started yet."""

    def __init__(self, process: asyncio.subprocess.Process, workload: Workload) -> None:
        self._process = process
        self._workload = workload

    async def begin(self) -> None:
        """Let them start."""
        await self._say("go")

    async def end(self) -> Tally:
        """Stop them now, unless they have ended; returns what they did."""
        if self._process.returncode is None:
            await self._say("stop")
        return await self.result()

    async def result(self) -> Tally:
        """Wait until their time is over; returns what they did."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise PeerBrokeError("the clients' process broke off; see its output above")
        return Tally(**json.loads(line))

    async def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        await self._process.stdin.drain()


@asynccontextmanager
async def client_process(workload: Workload) -> AsyncIterator[ClientProcess]:
    """The clients' process for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.feedback.clients",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(workload)).encode() + b"\n")
        await process.stdin.drain()
        if await process.stdout.readline() != b"ready\n":
            raise PeerBrokeError("the clients' process did not connect; see its output above")
        yield ClientProcess(process, workload)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run_clients(workload: Workload) -> Tally:
    """Carry out one workload from beginning to end."""
    async with client_process(workload) as clients:
        await clients.begin()
        return await clients.result()
