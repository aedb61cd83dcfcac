"""Many characters, few of them popular: what a long tail of adapters costs.

Sixteen players take turn after turn; their characters are drawn by Zipf's law, from a large cast
and from a small one. Each turn is a new session. Every character has spoken once before, so what is
compared is serving a hundred adapters with serving five, not the first meeting.
"""

from __future__ import annotations

from functools import partial

from benchmarks.measures import ratio, tokens_per_s
from benchmarks.serving.cast import Cast
from benchmarks.serving.load import WARM_ROUND, turn, zipf
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.scenarios.rotation import Entry, rotate
from benchmarks.serving.workspace import SHORT, ScenarioResult, Workspace, capacity_for

USERS = 16
FEW = 5


async def run(workspace: Workspace) -> ScenarioResult:
    """The same traffic on a server with many characters and one with few, in turn."""
    many = workspace.extent.zipf_characters
    played = await rotate(
        [_entry(workspace, many), _entry(workspace, FEW)], workspace.extent.rounds, workspace.tell
    )
    rates = {name: [tokens_per_s(r) for r in rounds] for name, rounds in played.rounds.items()}
    figure = ratio(rates[_name(many)], rates[_name(FEW)])
    return ScenarioResult({"zipf_100_over_5": figure}, played.rounds, notes=played.notes)


def _entry(workspace: Workspace, size: int) -> Entry:
    workspace.tell(f"writing {_name(size)}", 0, 1)
    cast = workspace.cast(f"zipf-{size}", size, SHORT)
    troupe = Troupe(_name(size), workspace.base, cast, capacity_for(USERS))
    return Entry(troupe, partial(_turns, workspace, cast), USERS)


def _turns(workspace: Workspace, cast: Cast, number: int) -> list[PlayerTurn]:
    size = len(cast.members)
    drawn = range(size) if number == WARM_ROUND else zipf(size, workspace.extent.zipf_turns, number)
    return [turn(cast.members[c], workspace.base.vocab, i, number) for i, c in enumerate(drawn)]


def _name(characters: int) -> str:
    return f"ours, {characters} characters"
