"""What work on one character costs with a hundred other characters in the same store.

Both stores hold the character with as many turns and events; the large one holds the others beside
it. Estimate in turn, after one round that warms the caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from benchmarks.feedback import population
from benchmarks.feedback.workspace import Workspace
from benchmarks.measures import Estimate, ratio
from benchmarks.parts import PartResult
from feedback_store.selection import select
from feedback_store.store import Store

TURN_WRITES = 300  # per sample
LEARNER = population.character(0)


async def run(workspace: Workspace) -> PartResult:
    """Statistics, selection and turn writes on both stores."""
    extent = workspace.extent
    sizes = {"small": extent.small, "large": extent.large}
    stores = {}
    for name, size in sizes.items():
        path = workspace.scratch / f"{name}.db"
        everything = size.turns + size.events  # and some sessions
        population.write(path, size, partial(_tell, workspace, name, everything))
        stores[name] = Store.open(path, search_damage=False)
    samples: dict[str, list[float]] = {}
    for number in range(extent.repeats + 1):
        workspace.tell("growth", number, extent.repeats + 1)
        for what, work in _WORKS.items():
            for name, store in stores.items():
                taken = _seconds(work, store)
                if number > 0:
                    samples.setdefault(f"{what}_{name}_s", []).append(taken)
    for store in stores.values():
        store.close()
    figures: dict[str, Estimate] = {
        f"{what}_growth": ratio(samples[f"{what}_large_s"], samples[f"{what}_small_s"])
        for what in _WORKS
    }
    return PartResult(figures, samples)


def _tell(workspace: Workspace, name: str, rows: int, done: int) -> None:
    workspace.tell(f"write {name} store", done, rows)


def _seconds(work: Callable[[Store], object], store: Store) -> float:
    begun = time.perf_counter()
    work(store)
    return time.perf_counter() - begun


def _select(store: Store) -> object:
    return select(LEARNER, store.turns(LEARNER), store.events(LEARNER))


def _write_turns(store: Store) -> None:
    like = store.turn(population.turn_id(0))
    assert like is not None
    begun = time.time_ns()
    for number in range(TURN_WRITES):
        name = population.turn_id(begun // 1000 + number)
        turn = replace(like, turn_id=name, first_turn_id=name, created_at=datetime.now(UTC))
        store.record_turn(turn).result()


_WORKS: dict[str, Callable[[Store], object]] = {
    "stats": lambda store: store.statistics(LEARNER),
    "selection": _select,
    "turn_write": _write_turns,
}
