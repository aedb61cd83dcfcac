"""Peers that only know whole batches, each in a process of its own.

The parent waits until every user has asked, sends all prompts at once and reads one message per
step, in which each row got a token. Messages are JSON lines over the child's pipes. So such a
peer is timed by the same client code as the servers, at the price of one small message per step.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.errors import PeerBrokeError, PeerMissingError
from benchmarks.serving.peers import PlayerTurn
from npc_server.engine.protocol import Sampling


@dataclass(frozen=True)
class BatchPrompt:
    """One prompt of a batch."""

    ids: tuple[int, ...]
    adapter: int  # index of one of the adapters it was given
    sampling: Sampling


_Steps = asyncio.Queue[int | PeerBrokeError | None]  # tokens; what broke, or None at the end


class Model(Protocol):
    """What a child process runs."""

    def generate(self, rows: Sequence[BatchPrompt], on_step: Callable[[], None]) -> None:
        """Continue all rows for max_tokens steps, calling `on_step` when each has a new token."""
        ...


class BatchPeer:
    """A child process that runs `module`; `config` is handed to it at start."""

    def __init__(
        self, name: str, module: str, config: dict[str, Any], rows: int, log: Path
    ) -> None:
        self.name = name
        self._module = module
        self._config = config
        self._rows = rows
        self._log = log
        self._asked: list[tuple[BatchPrompt, _Steps]] = []
        self._process: asyncio.subprocess.Process | None = None
        self._relaying: asyncio.Task[None] | None = None  # the loop itself keeps no task alive

    async def start(self) -> None:
        """Start the child and wait until it has loaded its model."""
        self._asked = []
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    **self._config.get("environment", {}),
                },
            )
        await self._send(self._config)
        status = await self._receive()
        if status != "ready":
            raise PeerMissingError(f"{self.name}: {status}")

    async def ready(self, turns: Sequence[PlayerTurn]) -> None:
        """Check that the turns make one batch."""
        if len(turns) != self._rows:
            raise ValueError(f"{self.name} takes {self._rows} turns at once, not {len(turns)}")

    async def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        """Wait for the batch to be complete, then follow its steps."""
        steps: _Steps = asyncio.Queue()
        self._asked.append((BatchPrompt(turn.ids, turn.member.index, turn.sampling), steps))
        if len(self._asked) == self._rows:
            batch, self._asked = self._asked, []
            await self._run(batch)
        while (item := await steps.get()) is not None:
            if isinstance(item, PeerBrokeError):
                raise item
            yield item

    async def _run(self, batch: Sequence[tuple[BatchPrompt, _Steps]]) -> None:
        await self._send([asdict(row) for row, _ in batch])
        queues = [steps for _, steps in batch]
        self._relaying = asyncio.create_task(self._relay(queues))

    async def _relay(self, steps: Sequence[_Steps]) -> None:
        last: PeerBrokeError | None = None
        try:
            while await self._receive() == "step":
                for queue in steps:
                    queue.put_nowait(1)
        except PeerBrokeError as error:
            last = error
        for queue in steps:
            queue.put_nowait(last)

    async def _send(self, message: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise PeerBrokeError(f"{self.name} is gone: {error}") from error

    async def _receive(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        message = await self._process.stdout.readline()
        if not message:
            tail = self._log.read_text(errors="replace")[-1000:]
            raise PeerBrokeError(f"{self.name} ended:\n{tail}")
        return str(json.loads(message))

    async def stop(self) -> None:
        """End the child."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def run_child(load: Callable[[dict[str, Any]], Model]) -> None:
    """The child's main: load what the first line describes, then generate batch after batch."""
    # Libraries print; what they print must not mix with our messages.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        model = load(json.loads(sys.stdin.readline()))
    except ImportError as error:
        print(json.dumps(f"{error}; install the train extra"), file=out)
        return
    print(json.dumps("ready"), file=out)
    for line in sys.stdin:
        model.generate(_rows(json.loads(line)), lambda: print(json.dumps("step"), file=out))
        print(json.dumps("done"), file=out)


def _rows(batch: list[dict[str, Any]]) -> list[BatchPrompt]:
    return [
        BatchPrompt(tuple(row["ids"]), row["adapter"], Sampling(**row["sampling"])) for row in batch
    ]
