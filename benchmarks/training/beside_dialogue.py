"""What a training beside a server costs the players that talk to it.

Four players talk on one server without a training and beside one that yields to others, as a
night's does, in turn, about something new every time. Everybody shares two cores.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.errors import PeerBrokeError
from benchmarks.measures import Round, TimedReply, ratio, tokens_per_s
from benchmarks.parts import PartResult
from benchmarks.serving.cast import Adapters, Base, Cast, open_base, write_cast
from benchmarks.serving.load import WARM_ROUND, one_each, play
from benchmarks.serving.peers import Capacity
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.training.workspace import OURS, Workspace

PLAYERS = 4
TURNS_PER_PLAYER = 6  # a round, one after the other
ENDLESS_PAIRS = 4096  # more than are learned during a talk


async def run(workspace: Workspace) -> PartResult:
    """Rounds without a training and beside one, in turn."""
    base = open_base(workspace.base)
    adapters = Adapters(workspace.scratch / "adapters", base)
    cast = write_cast(workspace.scratch / "talking", base, adapters, PLAYERS, 130)
    troupe = Troupe("beside", base, cast, Capacity(PLAYERS, 1024, 2))
    await troupe.start()
    alone: list[Round] = []
    beside: list[Round] = []
    try:
        await play(troupe, one_each(cast, base.vocab, PLAYERS, WARM_ROUND), PLAYERS)
        for number in range(workspace.extent.rounds):
            workspace.tell("beside a training", number, workspace.extent.rounds)
            alone.append(await _talk(troupe, cast, base, 2 * number))
            async with _training(workspace):
                beside.append(await _talk(troupe, cast, base, 2 * number + 1))
    finally:
        await troupe.stop()
    rates = {
        "alone_tokens_per_s": [tokens_per_s(played) for played in alone],
        "beside_tokens_per_s": [tokens_per_s(played) for played in beside],
    }
    kept = ratio(rates["beside_tokens_per_s"], rates["alone_tokens_per_s"])
    return PartResult({"serving_kept": kept}, rates)


async def _talk(troupe: Troupe, cast: Cast, base: Base, number: int) -> Round:
    """Lines of another number are new to every cache."""
    spoken: list[TimedReply] = []
    for part in range(number * TURNS_PER_PLAYER, (number + 1) * TURNS_PER_PLAYER):
        portion = await play(troupe, one_each(cast, base.vocab, PLAYERS, part), PLAYERS)
        spoken += portion.replies
    return Round(tuple(spoken))


@asynccontextmanager
async def _training(workspace: Workspace) -> AsyncIterator[None]:
    """Train in a process of its own for the length of the block."""
    options = {"base": workspace.base, "cache": workspace.cache, "pairs": ENDLESS_PAIRS}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.training.one_training", OURS, "--yields", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        if not await process.stdout.readline():  # one line per step
            raise PeerBrokeError("the training beside ended before its first step")
        yield
        if process.returncode is not None:
            raise PeerBrokeError("the training beside ended before the dialogues")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
