"""Eight players on bases of random weights, several times as large as the default one.

Adapters weigh less beside a larger base, and more of a step is the base's own. Each shape is played
with adapters of rank 16 and of rank 8; the server's slots are as wide as its `max_rank` for both,
which stays what it is by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from benchmarks.measures import Estimate, ratio, tokens_per_s
from benchmarks.random_base import SHAPES, write_base
from benchmarks.serving.cast import RANK, Adapters, open_base
from benchmarks.serving.load import all_to_one
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.scenarios.rotation import Entry
from benchmarks.serving.scenarios.side_by_side import (
    LLAMA_SERVER,
    ONE_CHARACTER,
    OURS,
    Rounds,
    compare,
    ours_and_llama_server,
)
from benchmarks.serving.workspace import SHORT, ScenarioResult, Workspace, capacity_for
from npc_server.base_models.quantization import Quantization

USERS = 8
RANKS = (RANK, 8)
#: What figures call a shape.
NAMES: Mapping[str, str] = {"llama-1.1b": "1b", "qwen3-0.6b": "06b"}


async def run(shape: str, workspace: Workspace) -> ScenarioResult:
    """Eight characters and one on a base of this shape, beside llama-server, by rank."""
    workspace.tell(f"writing {shape}", 0, 1)
    path = workspace.scratch / f"{shape}.gguf"
    base = open_base(write_base(path, SHAPES[shape], Quantization.Q4_MIX, workspace.base.path))
    found = [await _by_rank(replace(workspace, base=base), NAMES[shape], rank) for rank in RANKS]
    path.unlink()
    return ScenarioResult(
        {key: figure for result in found for key, figure in result.figures.items()},
        {name: rounds for result in found for name, rounds in result.rounds.items()},
        notes=[note for result in found for note in result.notes],
    )


async def _by_rank(workspace: Workspace, name: str, rank: int) -> ScenarioResult:
    """What is measured with adapters of one rank."""
    label = f"{name}-rank-{rank}"
    adapters = Adapters(workspace.scratch / f"adapters-{label}", workspace.base, rank)
    placed = replace(workspace, adapters=adapters)
    one = placed.cast(f"{label}-one", USERS, SHORT)
    alone = Troupe(ONE_CHARACTER, placed.base, one, capacity_for(USERS))
    same = partial(all_to_one, one, placed.base.vocab, USERS)
    entries = [
        *ours_and_llama_server(placed, placed.cast(label, USERS, SHORT)),
        Entry(alone, same, USERS),
    ]
    played = await compare(placed, entries, partial(figures, key_of(name, rank)))
    rounds = {f"{peer}, rank {rank}": found for peer, found in played.rounds.items()}
    return replace(played, rounds=rounds)


def key_of(name: str, rank: int) -> str:
    """What figures of a shape with adapters of this rank end in."""
    return name if rank == RANK else f"{name}_rank_{rank}"


def figures(key: str, rounds: Rounds) -> dict[str, Estimate]:
    """Characters of their own over a shared one, and over llama-server where it took part."""
    rates = {peer: [tokens_per_s(one) for one in played] for peer, played in rounds.items()}
    found = {f"mixed_over_shared_8_{key}": ratio(rates[OURS], rates[ONE_CHARACTER])}
    if LLAMA_SERVER in rates:
        found[f"vs_llama_server_8_{key}"] = ratio(rates[OURS], rates[LLAMA_SERVER])
    return found
