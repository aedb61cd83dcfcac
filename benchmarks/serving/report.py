"""The results, as JSON: every figure under its key, then every sample it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import machine, versions
from benchmarks.marks import CpuKind, entry
from benchmarks.measures import (
    Estimate,
    Round,
    TimedReply,
    estimate,
    gaps_ms,
    percentile,
    tokens_per_s,
    ttfts_ms,
)
from benchmarks.results_file import replace_text
from benchmarks.serving.figures import marks_on
from benchmarks.serving.workspace import Extent, ScenarioResult


@dataclass(frozen=True)
class Setting:
    """What the figures hold for."""

    date: str
    base: str  # name of the GGUF file
    base_sha256: str
    llama_server: str  # its version; "" = not there
    seconds: float  # that all scenarios took
    size: Extent
    environment: Mapping[str, str]  # variables that a server or a peer may read
    cpu_kind: CpuKind  # the marks are those for it


def figures(results: Mapping[str, ScenarioResult]) -> dict[str, Estimate]:
    """Every figure of every scenario."""
    return {key: value for o in results.values() for key, value in o.figures.items()}


def write(path: Path, setting: Setting, results: Mapping[str, ScenarioResult]) -> None:
    """Write the report; samples come last, one scenario per line."""
    found = figures(results)
    head = {
        **asdict(setting),
        "machine": machine(),
        "versions": versions(),
        **{mark.key: entry(mark, found.get(mark.key)) for mark in marks_on(setting.cpu_kind)},
        "scenarios": {name: _summary(result) for name, result in results.items()},
    }
    lines = [f"{json.dumps(name)}: {_raw(result)}" for name, result in results.items()]
    text = json.dumps(head, indent=2, ensure_ascii=False)
    replace_text(path, f'{text[:-2]},\n  "samples": {{\n' + ",\n".join(lines) + "\n  }\n}\n")


def _summary(result: ScenarioResult) -> dict[str, Any]:
    peers = {name: _of_rounds(rounds) for name, rounds in result.rounds.items() if rounds}
    return {"notes": list(result.notes), "peers": peers}


def _of_rounds(rounds: Sequence[Round]) -> dict[str, dict[str, float]]:
    of_round: dict[str, Callable[[Round], float]] = {
        "tokens_per_s": tokens_per_s,
        "ttft_median_ms": lambda played: median(ttfts_ms(played)),
        "ttft_worst_ms": lambda played: max(ttfts_ms(played)),
        "gap_median_ms": lambda played: median(gaps_ms(played)),
        "gap_p99_ms": lambda played: percentile(gaps_ms(played), 0.99),
    }
    return {
        name: {key: round(v, 2) for key, v in asdict(estimate([f(r) for r in rounds])).items()}
        for name, f in of_round.items()
    }


def _raw(result: ScenarioResult) -> str:
    rounds = {name: [_raw_round(r) for r in rounds] for name, rounds in result.rounds.items()}
    samples = {key: [round(v, 3) for v in values] for key, values in result.samples.items()}
    return json.dumps({"rounds": rounds, **samples}, separators=(",", ":"))


def _raw_round(played: Round) -> list[dict[str, Any]]:
    begun = min(reply.asked_s for reply in played.replies)
    return [_raw_reply(reply, begun) for reply in played.replies]


def _raw_reply(reply: TimedReply, begun_s: float) -> dict[str, Any]:
    def ms(moment_s: float) -> float:
        return round((moment_s - begun_s) * 1e3, 1)

    return {
        "user": reply.user,
        "character": reply.character,
        "asked_ms": ms(reply.asked_s),
        "arrived_ms": [ms(moment) for moment in reply.arrived_s],
        "ended_ms": ms(reply.ended_s),
        "tokens": reply.tokens,
    }
