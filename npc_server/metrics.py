"""Metrics for Prometheus.

A scrape asks the engine for fresh stats through the event loop, for a limited time, and falls back
to the last ones with their age: a busy or restarting engine must not make the scrape fail. The
thread of a scrape changes nothing of the server's; it reads snapshots and counters. Names follow
Prometheus: base units, `_total` for counters, one prefix.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from feedback_store.records import Kind
from npc_server.engine.errors import EngineError
from npc_server.engine.protocol import Histogram, Stats

STATS_LIMIT_S = 0.5

_MS = 1e-3  # stored in milliseconds, shown in seconds


class Calls:
    """Ended calls per method and status; counted on the event loop."""

    def __init__(self) -> None:
        self._ended: Counter[tuple[str, str]] = Counter()

    def count(self, method: str, code: grpc.StatusCode) -> None:
        """Count a call that ended."""
        self._ended[method.lstrip("/"), code.name] += 1

    def snapshot(self) -> dict[tuple[str, str], int]:
        """Ended calls per method and status name; from any thread."""
        return dict(self._ended)


class Events:
    """Decided feedback events per kind and status; counted on the event loop."""

    def __init__(self) -> None:
        self._decided: Counter[tuple[Kind | None, grpc.StatusCode]] = Counter()

    def count(self, kind: Kind | None, code: grpc.StatusCode) -> None:
        """Count a decided event; a malformed one has no kind."""
        self._decided[kind, code] += 1

    def snapshot(self) -> dict[tuple[str, str], int]:
        """Decided events per kind and status name; from any thread."""
        return {
            (kind.value if kind else "malformed", code.name): events
            for (kind, code), events in dict(self._decided).items()
        }


@dataclass(frozen=True)
class Sources:
    """Where the metrics come from. Only `stats` belongs to the event loop, and is called there."""

    stats: Callable[[], Coroutine[Any, Any, Stats]]
    calls: Calls
    events: Events
    events_waiting: Callable[[], int]
    records_waiting: Callable[[], int]
    records_dropped: Callable[[], int]
    dialogues_open: Callable[[], int]
    serving: Callable[[], bool]
    restarts: Callable[[], int]
    guard_hits: Callable[[], Mapping[tuple[str, str], int]]  # by rule and action


class ServerCollector(Collector):
    """All metrics at the moment of a scrape."""

    def __init__(self, sources: Sources, loop: asyncio.AbstractEventLoop) -> None:
        self._sources = sources
        self._loop = loop
        self._last: tuple[Stats, float] | None = None  # with the moment they were taken

    def describe(self) -> list[Metric]:
        """Describe nothing: registering must not wait for the event loop that it runs on."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Collect all metrics; the HTTP thread calls this."""
        yield from server_metrics(self._sources)
        self._refresh()
        if self._last is not None:
            stats, taken_s = self._last
            age_s = time.monotonic() - taken_s
            yield _gauge("engine_stats_age_seconds", "Age of the engine's stats.", age_s)
            yield from engine_metrics(stats)

    def _refresh(self) -> None:
        stats = asyncio.run_coroutine_threadsafe(self._sources.stats(), self._loop)
        try:
            self._last = stats.result(STATS_LIMIT_S), time.monotonic()
        except (EngineError, TimeoutError, concurrent.futures.CancelledError):
            stats.cancel()


def server_metrics(sources: Sources) -> Iterator[Metric]:
    """The server's metrics, which need no engine."""
    calls, events = sources.calls.snapshot(), sources.events.snapshot()
    yield _counts("grpc_requests", "Calls that ended, by status.", ("method", "code"), calls)
    yield _counts("feedback_events", "Events decided, by status.", ("kind", "code"), events)
    held = sources.events_waiting()
    yield _gauge("event_calls_waiting", "Calls whose events wait while characters speak.", held)
    waiting, dropped = sources.records_waiting(), sources.records_dropped()
    yield _gauge("records_waiting", "Records the store has not taken yet.", waiting)
    yield _counter("records_dropped", "Sessions and turns that were never stored.", dropped)
    yield _gauge("dialogues_open", "Open sessions.", sources.dialogues_open())
    yield _gauge("engine_up", "1 while the engine can take turns.", sources.serving())
    yield _counter("engine_restarts", "Restarts of a dead engine.", sources.restarts())
    found = dict(sources.guard_hits())
    yield _counts("guard_hits", "What the guard found, by action.", ("rule", "action"), found)


def engine_metrics(stats: Stats) -> Iterator[Metric]:
    """The engine's metrics. Its counters begin anew when it restarts."""
    batching = GaugeMetricFamily(
        "troupe_engine_batching", "1 for the mode in use.", labels=("mode", "reason")
    )
    batching.add_metric((stats.batching.value, stats.batching_reason), 1)
    yield batching
    yield _gauge("engine_turns_running", "Turns being generated.", stats.running)
    yield _gauge("engine_turns_waiting", "Turns waiting for a sequence.", stats.waiting)
    yield _gauge("engine_sequences", "Turns that can run at once.", stats.sequences)
    yield _gauge("engine_adapters", "Adapters kept in memory.", len(stats.adapters))
    yield _gauge("engine_adapters_bytes", "Memory of kept adapters.", stats.adapter_bytes)
    yield _gauge("engine_cache_entries", "Kept prompt prefixes.", stats.cache_entries)
    yield _gauge("engine_cache_bytes", "Memory of kept prompt prefixes.", stats.cache_bytes)
    yield from _engine_counters(stats)
    yield from _engine_histograms(stats)


def _engine_counters(stats: Stats) -> Iterator[Metric]:
    yield _counter("engine_steps", "Steps computed.", stats.steps)
    yield _counter("engine_slot_hits", "Turns that found their adapter in place.", stats.slot_hits)
    yield _counter("engine_slot_loads", "Turns whose adapter was copied first.", stats.slot_loads)
    yield _counter("engine_kv_moves", "Running turns moved to stay adjacent.", stats.kv_moves)
    yield _counter("engine_prompt_tokens", "Prompt tokens of all turns.", stats.prompt_tokens)
    yield _counter("engine_cached_tokens", "Prompt tokens not computed again.", stats.cached_tokens)
    yield _counter("engine_generated_tokens", "Reply tokens.", stats.generated_tokens)
    yield _counter("engine_turns", "Turns that ended, for whatever reason.", stats.turns)
    yield _counter("engine_rejected", "Turns refused: too many waiting.", stats.rejected)


def _engine_histograms(stats: Stats) -> Iterator[Metric]:
    yield _histogram("engine_step_seconds", "Duration of a step.", stats.step_ms, _MS)
    yield _histogram(
        "engine_adapters_per_step", "Distinct adapters in a step.", stats.adapters_per_step
    )
    yield _histogram("engine_queue_seconds", "Wait for a sequence.", stats.queue_ms, _MS)
    yield _histogram(
        "engine_first_token_seconds", "From arrival to the first token.", stats.ttft_ms, _MS
    )
    yield _histogram(
        "engine_reply_tokens_per_second", "Speed after the first token.", stats.tokens_per_s
    )
    yield _histogram(
        "engine_adapter_load_seconds", "Reading one adapter.", stats.adapter_load_ms, _MS
    )


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"troupe_{name}", what, value)


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(f"troupe_{name}", what, value)


def _counts(
    name: str, what: str, labels: tuple[str, str], values: Mapping[tuple[str, str], int]
) -> Metric:
    family = CounterMetricFamily(f"troupe_{name}", what, labels=labels)
    for label_values, count in sorted(values.items()):
        family.add_metric(label_values, count)
    return family


def _histogram(name: str, what: str, values: Histogram, unit: float = 1.0) -> Metric:
    bounds = [f"{bound * unit:.12g}" for bound in values.bounds] + ["+Inf"]
    cumulative = list(itertools.accumulate(values.counts))
    buckets = list(zip(bounds, map(float, cumulative), strict=True))
    return HistogramMetricFamily(f"troupe_{name}", what, buckets, values.sum * unit)
