"""Starting the clients' process and hearing what it did."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from benchmarks.errors import PeerBrokeError
from benchmarks.feedback.clients import Order, Tally


class Crowd:
    """The clients of one order, connected and waiting for the word."""

    def __init__(self, process: asyncio.subprocess.Process, order: Order) -> None:
        self._process = process
        self._order = order

    async def begin(self) -> None:
        """Let them start."""
        await self._say("go")

    async def end(self) -> Tally:
        """Stop them now, unless they have, and hear what came of it."""
        if self._process.returncode is None:
            await self._say("stop")
        return await self.result()

    async def result(self) -> Tally:
        """Wait until their time is over."""
        assert self._process.stdout is not None
        answer = await self._process.stdout.readline()
        if not answer:
            raise PeerBrokeError("the clients' process broke off; see its output above")
        return Tally(**json.loads(answer))

    async def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        await self._process.stdin.drain()


@asynccontextmanager
async def crowd(order: Order) -> AsyncIterator[Crowd]:
    """The clients' process for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.feedback.clients",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await process.stdin.drain()
        if await process.stdout.readline() != b"ready\n":
            raise PeerBrokeError("the clients' process did not connect; see its output above")
        yield Crowd(process, order)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def played(order: Order) -> Tally:
    """One order from beginning to end."""
    async with crowd(order) as clients:
        await clients.begin()
        return await clients.result()
