"""What a long conversation costs its player: the wait for the first word, turn by turn.

One player talks with one character beyond the point where the context is full. The player of the
first session takes READING_S between a reply and the next line; the player of the second takes no
time at all, so that only what is read beside a reply is read ahead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from statistics import median

from benchmarks.measures import Estimate, percentile
from benchmarks.serving.cast import Cast
from benchmarks.serving.load import turn
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.workspace import SHORT, ScenarioResult, Workspace, capacity_for

#: Between a reply and the next line. A reply of 48 tokens has some 36 words; people read four words
#: a second and then speak or type, so this is less than half of what they take.
READING_S = 4.0
EARLY, LATE = slice(4, 10), slice(19, 60)  # turns 5 to 10, and 20 to 60
WITH_PAUSE, WITHOUT = "ttft_with_pause_ms", "ttft_without_pause_ms"  # by turn


async def run(workspace: Workspace) -> ScenarioResult:
    """Talk once with pauses and once without, on one server."""
    cast = workspace.cast("long-talk", 1, SHORT)
    troupe = Troupe("ours", workspace.base, cast, capacity_for(8))
    workspace.tell("starting", 0, 1)
    await troupe.start()
    try:
        paused = await _talk(workspace, troupe, cast, 0, READING_S)
        hasty = await _talk(workspace, troupe, cast, 1, 0.0)
    finally:
        await troupe.stop()
    return ScenarioResult(figures(paused, hasty), samples={WITH_PAUSE: paused, WITHOUT: hasty})


def figures(paused: Sequence[float], hasty: Sequence[float]) -> dict[str, Estimate]:
    """Late turns beside early ones, of first-word times by turn."""
    return {
        "long_talk_ttft": _late_over_early(paused, 0.5),
        "long_talk_ttft_p95": _late_over_early(paused, 0.95),
        "long_talk_ttft_no_pause": _late_over_early(hasty, 0.5),
        "long_talk_ttft_p95_no_pause": _late_over_early(hasty, 0.95),
    }


def _late_over_early(ttfts_ms: Sequence[float], share: float) -> Estimate:
    """A percentile of the late turns over the median early one; the spread is of all late turns."""
    early = median(ttfts_ms[EARLY])
    late = [one / early for one in ttfts_ms[LATE]]
    value = median(late) if share == 0.5 else percentile(late, share)
    return Estimate(value, min(late), max(late))


async def _talk(
    workspace: Workspace, troupe: Troupe, cast: Cast, user: int, pause_s: float
) -> list[float]:
    """A session's times to first word, in milliseconds, by turn."""
    size, vocab = workspace.extent.talk_turns, workspace.base.vocab
    turns = [turn(cast.members[0], vocab, user, number) for number in range(size)]
    session, waits = await troupe.open(turns[0]), list[float]()
    for said in turns:
        workspace.tell(f"talking, {pause_s:g} s between lines", len(waits), size)
        waits.append(await _ttft_ms(troupe, session, said))
        await asyncio.sleep(pause_s)
    return waits


async def _ttft_ms(troupe: Troupe, session: str, said: PlayerTurn) -> float:
    asked, first = time.perf_counter(), None
    async with aclosing(troupe.say_in(session, said)) as stream:
        async for _ in stream:
            first = first or time.perf_counter()
    assert first is not None
    return (first - asked) * 1e3
