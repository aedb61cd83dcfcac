"""A thousand players' clients in a process of their own, so that they do not share the server's.

`python -m benchmarks.feedback.clients` reads one workload as JSON from standard input, says `ready`
once its connections stand, starts on a line from standard input, ends after its time or on another
line, and prints one JSON object. Clients are spread over `channels` connections; each has
one call in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import grpc
import grpc.aio

from npc.v1 import feedback_pb2, feedback_pb2_grpc

_OK = 0


@dataclass(frozen=True)
class Workload:
    """What the clients are to do."""

    address: str
    turn_ids: Sequence[str]  # clients react to these in turn
    clients: int
    channels: int
    warm_s: float  # played before anything counts
    seconds: float  # counted, at most
    batch: int  # events of one SubmitBatch; 0 = one Submit per event
    pause_s: float  # a client's mean time between two calls; 0 = none
    seed: int


@dataclass
class Tally:
    """What the clients did."""

    acknowledged: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # by status
    ack_ms: list[float] = field(default_factory=list)  # one per call
    seconds: float = 0.0

    def count_refused(self, status: str) -> None:
        """Count an event, or a whole call, that was not taken."""
        self.refused[status] = self.refused.get(status, 0) + 1

    def reset(self) -> None:
        """Forget what was counted so far."""
        self.acknowledged = 0
        self.refused.clear()
        self.ack_ms.clear()


async def _carry_out(workload: Workload, lines: asyncio.Queue[str]) -> Tally:
    stubs = [await _stub(workload.address) for _ in range(workload.channels)]
    print("ready", flush=True)
    await lines.get()
    tally = Tally()
    clients = [
        asyncio.create_task(_client(workload, number, stubs[number % workload.channels], tally))
        for number in range(workload.clients)
    ]
    await asyncio.sleep(workload.warm_s)
    tally.reset()
    begun = time.perf_counter()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(lines.get(), workload.seconds)
    tally.seconds = time.perf_counter() - begun
    for client in clients:
        client.cancel()
    for ended in await asyncio.gather(*clients, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    return tally


async def _stub(address: str) -> Any:
    # A connection of its own, not the one that equal channels share.
    channel = grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
    await channel.channel_ready()
    return feedback_pb2_grpc.FeedbackStub(channel)


async def _client(workload: Workload, number: int, stub: Any, tally: Tally) -> None:
    draw = random.Random(f"{workload.seed}/{number}")
    mine = itertools.cycle(workload.turn_ids[number :: workload.clients] or workload.turn_ids)
    call = _submit_batch if workload.batch else _submit
    await asyncio.sleep(draw.random() * workload.pause_s)
    while True:
        asked = time.perf_counter()
        try:
            await call(workload, stub, mine, draw, tally)
        except grpc.aio.AioRpcError as error:
            tally.count_refused(error.code().name)
        tally.ack_ms.append((time.perf_counter() - asked) * 1e3)
        if workload.pause_s:
            await asyncio.sleep(draw.expovariate(1 / workload.pause_s))


async def _submit(
    workload: Workload, stub: Any, turns: itertools.cycle[str], draw: random.Random, tally: Tally
) -> None:
    await stub.Submit(_event(next(turns), draw))
    tally.acknowledged += 1


async def _submit_batch(
    workload: Workload, stub: Any, turns: itertools.cycle[str], draw: random.Random, tally: Tally
) -> None:
    events = [_event(next(turns), draw) for _ in range(workload.batch)]
    call = stub.SubmitBatch()
    await call.write(feedback_pb2.SubmitBatchRequest(events=events))
    await call.done_writing()
    response = await call
    for status in response.statuses:
        if status.code == _OK:
            tally.acknowledged += 1
        else:
            tally.count_refused(str(status.code))


def _event(turn_id: str, draw: random.Random) -> feedback_pb2.SubmitRequest:
    up = draw.random() < 0.6
    reasons = [] if up else [feedback_pb2.REASON_TOO_LONG]
    return feedback_pb2.SubmitRequest(
        event_id=f"{draw.getrandbits(128):032x}",
        turn_id=turn_id,
        thumb=feedback_pb2.Thumb(up=up, reasons=reasons),
    )


async def _run(workload: Workload) -> Tally:
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read_lines() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=read_lines, daemon=True).start()
    return await _carry_out(workload, lines)


def main() -> None:
    """Carry out the workload on standard input."""
    workload = Workload(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(asyncio.run(_run(workload)))), flush=True)


if __name__ == "__main__":
    main()
