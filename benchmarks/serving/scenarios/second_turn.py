"""What a session's second turn gains from its first, with a persona new to the server.

The characters speak on the bare base: a persona is read ahead of its first turn when an adapter
goes live, so under an adapter no first turn is cold.
"""

from __future__ import annotations

import time
from contextlib import aclosing

from benchmarks.measures import ratio
from benchmarks.serving.cast import Member, write_bare_cast
from benchmarks.serving.load import turn
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.workspace import ScenarioResult, Workspace, capacity_for

PERSONA_TOKENS = 400


async def run(workspace: Workspace) -> ScenarioResult:
    """Two turns with every character of a fresh server."""
    # The first character is met and left out: a server may have warmed up with it.
    size, root = workspace.extent.first_meetings + 1, workspace.scratch / "second-turn"
    cast = write_bare_cast(root, workspace.base, size, PERSONA_TOKENS)
    troupe = Troupe("ours", workspace.base, cast, capacity_for(8))
    workspace.tell("starting", 0, 1)
    await troupe.start()
    try:
        ttfts = [await _two_turns(workspace, troupe, member) for member in cast.members]
    finally:
        await troupe.stop()
    cold, second = ([ttft[i] for ttft in ttfts[1:]] for i in range(2))
    samples = {"cold_first_turn_ms": cold, "second_turn_ms": second}
    return ScenarioResult({"second_turn_ttft": ratio(second, cold)}, samples=samples)


async def _two_turns(workspace: Workspace, troupe: Troupe, member: Member) -> list[float]:
    workspace.tell("meeting", member.index, workspace.extent.first_meetings + 1)
    turns = [turn(member, workspace.base.vocab, member.index, number) for number in range(2)]
    session = await troupe.open(turns[0])
    return [await _ttft_ms(troupe, session, turn) for turn in turns]


async def _ttft_ms(troupe: Troupe, session: str, turn: PlayerTurn) -> float:
    asked, first = time.perf_counter(), None
    async with aclosing(troupe.say_in(session, turn)) as stream:
        async for _ in stream:
            first = first or time.perf_counter()
    assert first is not None
    return (first - asked) * 1e3
