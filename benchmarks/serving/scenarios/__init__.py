"""The scenarios of the serving benchmark."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from benchmarks.serving.scenarios import (
    forms,
    idle,
    larger_bases,
    long_talk,
    publish,
    rendering,
    second_turn,
    side_by_side,
    zipf,
)
from benchmarks.serving.workspace import ScenarioResult, Workspace

SCENARIOS: dict[str, Callable[[Workspace], Awaitable[ScenarioResult]]] = {
    "eight": side_by_side.eight,
    "sixteen": side_by_side.sixteen,
    "long": side_by_side.long,
    "publish": publish.run,
    "zipf": zipf.run,
    "second_turn": second_turn.run,
    "long_talk": long_talk.run,
    "idle": idle.run,
    "forms": forms.run,
    "eight_1b": partial(larger_bases.run, "llama-1.1b"),
    "eight_06b": partial(larger_bases.run, "qwen3-0.6b"),
    "rendering": rendering.run,
}
