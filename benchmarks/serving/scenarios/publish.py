"""From a published adapter to the first word under it, and what running replies notice of that.

Seven players get long replies. Meanwhile a new version of the eighth character's adapter, which no
engine has seen, is promoted; once Promote has answered, its player speaks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from benchmarks.errors import BenchmarkError
from benchmarks.measures import estimate, gaps_across_ms
from benchmarks.serving.cast import Cast, publish
from benchmarks.serving.load import lengthened, turn
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.peers.troupe import Expected, Troupe
from benchmarks.serving.workspace import SHORT, ScenarioResult, Workspace, capacity_for

PLAYERS = 8
LONG_REPLY_TOKENS = 400
SETTLED_TOKENS = 24  # of every running reply, before anything is published
FIRST_NEW_ADAPTER = 900  # none of a cast's own


@dataclass(frozen=True)
class Publication:
    """One promotion, on the clock of its players."""

    sent_s: float
    answered_s: float
    spoken_s: float  # first text under the new version
    running_s: Sequence[Sequence[float]]  # when the text of each running reply came

    @property
    def step_ms(self) -> float:
        """What lay between two tokens of a running reply before."""
        before = [[t for t in times if t < self.sent_s] for times in self.running_s]
        return median((b - a) * 1e3 for times in before for a, b in pairwise(times))

    def gap_steps(self, begun_s: float, ended_s: float) -> float:
        """The longest gap of any running reply in that time, in steps."""
        gaps = [gap for t in self.running_s for gap in gaps_across_ms(t, begun_s, ended_s)]
        if not gaps:
            raise BenchmarkError("the replies beside the publication were over before it")
        return max(gaps) / self.step_ms


async def run(workspace: Workspace) -> ScenarioResult:
    """Publish one version after the other under load."""
    cast = workspace.cast("publish", PLAYERS, SHORT)
    versions = [
        publish(
            cast.data,
            workspace.base,
            cast.members[-1],
            workspace.adapters.peft(FIRST_NEW_ADAPTER + i),
        )
        for i in range(workspace.extent.publications + 1)
    ]
    troupe = Troupe("ours", workspace.base, cast, capacity_for(PLAYERS))
    workspace.tell("starting", 0, 1)
    await troupe.start()
    try:
        done = [
            await _publish(workspace, troupe, cast, number, version)
            for number, version in enumerate(versions)
        ]
    finally:
        await troupe.stop()
    return _result(done[1:])  # the first warms up


async def _publish(
    workspace: Workspace, troupe: Troupe, cast: Cast, number: int, version: str
) -> Publication:
    workspace.tell("publishing", number, workspace.extent.publications + 1)
    *others, last = (turn(m, workspace.base.vocab, i, number) for i, m in enumerate(cast.members))
    session = await troupe.open(last)
    async with _running(
        troupe, [lengthened(turn, LONG_REPLY_TOKENS) for turn in others]
    ) as arrivals:
        sent = time.perf_counter()
        await troupe.promote(last.member, version)
        answered = time.perf_counter()
        async with aclosing(troupe.say_in(session, last, Expected(version))) as stream:
            await anext(stream)
        spoken = time.perf_counter()
        await asyncio.sleep(0.1)  # lets gaps that began before `spoken` end
    return Publication(sent, answered, spoken, arrivals)


@asynccontextmanager
async def _running(
    troupe: Troupe, turns: Sequence[PlayerTurn]
) -> AsyncGenerator[list[list[float]]]:
    """Replies that run for the length of the block, as the times their text comes."""
    await troupe.ready(turns)
    arrivals: list[list[float]] = [[] for _ in turns]
    try:
        async with asyncio.TaskGroup() as group:
            pairs = zip(turns, arrivals, strict=True)
            tasks = [group.create_task(_record_times(troupe, turn, times)) for turn, times in pairs]
            while min(map(len, arrivals)) < SETTLED_TOKENS:
                await asyncio.sleep(0.02)
            yield arrivals
            for task in tasks:
                task.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def _record_times(troupe: Troupe, turn: PlayerTurn, times: list[float]) -> None:
    async with aclosing(troupe.say(turn)) as stream:
        async for _ in stream:
            times.append(time.perf_counter())


def _result(done: Sequence[Publication]) -> ScenarioResult:
    samples = {
        "publish_to_speech_ms": [(p.spoken_s - p.answered_s) * 1e3 for p in done],
        "publish_sent_to_speech_ms": [(p.spoken_s - p.sent_s) * 1e3 for p in done],
        "load_gap_steps": [p.gap_steps(p.sent_s, p.answered_s) for p in done],
        "speech_gap_steps": [p.gap_steps(p.answered_s, p.spoken_s) for p in done],
    }
    figures = {key: estimate(values) for key, values in samples.items()}
    return ScenarioResult(figures, samples={**samples, "step_ms": [p.step_ms for p in done]})
