"""Engine stats as Prometheus metrics."""

import asyncio
from dataclasses import replace

import grpc
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from feedback_store.records import Kind
from npc_server import metrics
from npc_server.engine.fake import FakeEngine
from npc_server.engine.protocol import Histogram, Stats
from npc_server.metrics import Calls, Events, ServerCollector, Sources, engine_metrics

CODES = ("OK", "CANCELLED")


class Scene:
    """A collector over an engine whose stats can be held up."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.engine = FakeEngine()
        self.open = asyncio.Event()
        self.open.set()
        self.events = Events()
        sources = Sources(
            stats=self.stats,
            calls=self.calls,
            events=self.events,
            events_waiting=lambda: 6,
            records_waiting=lambda: 4,
            records_dropped=lambda: 5,
            dialogues_open=lambda: 3,
            serving=lambda: True,
            restarts=lambda: 1,
            guard_hits=lambda: {("leak", "retried"): 2},
        )
        self.registry = CollectorRegistry()
        self.registry.register(ServerCollector(sources, asyncio.get_running_loop()))

    async def stats(self) -> Stats:
        await self.open.wait()
        return await self.engine.stats()

    async def samples(self) -> dict[str, float]:
        """What a scrape reads, by name and label values."""
        text = (await asyncio.to_thread(generate_latest, self.registry)).decode()
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


async def test_names_have_one_prefix_and_base_units() -> None:
    names = [name.split()[0] for name in await Scene().samples()]
    assert all(name.startswith("troupe_") for name in names)
    assert not any(unit in name for name in names for unit in ("_ms", "milli", "_mib", "_kib"))


async def test_histograms_are_cumulative_and_in_seconds() -> None:
    stats = await FakeEngine().stats()
    waits = Histogram((10.0, 250.0), (3, 2, 1), sum=900.0)
    (family,) = [
        family
        for family in engine_metrics(replace(stats, queue_ms=waits))
        if family.name == "troupe_engine_queue_seconds"
    ]
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    assert buckets == {"0.01": 3, "0.25": 5, "+Inf": 6}
    sums = {s.name.rpartition("_")[2]: s.value for s in family.samples if not s.labels}
    assert sums == {"count": 6, "sum": pytest.approx(0.9)}


async def test_what_the_server_counts_itself_is_there() -> None:
    scene = Scene()
    for code in (grpc.StatusCode.OK, grpc.StatusCode.OK, grpc.StatusCode.CANCELLED):
        scene.calls.count("/npc.v1.Dialogue/Say", code)
    samples = await scene.samples()
    said = {code: f"troupe_grpc_requests_total {code} npc.v1.Dialogue/Say" for code in CODES}
    assert {code: samples[name] for code, name in said.items()} == {"OK": 2, "CANCELLED": 1}
    assert samples["troupe_dialogues_open"] == 3
    assert samples["troupe_engine_restarts_total"] == 1
    assert samples["troupe_event_calls_waiting"] == 6
    assert samples["troupe_records_waiting"] == 4
    assert samples["troupe_records_dropped_total"] == 5


async def test_events_are_counted_by_kind_and_status() -> None:
    scene = Scene()
    for kind in (Kind.THUMB, Kind.THUMB, None):
        scene.events.count(kind, grpc.StatusCode.INVALID_ARGUMENT)
    samples = await scene.samples()
    name = "troupe_feedback_events_total INVALID_ARGUMENT"
    assert (samples[f"{name} thumb"], samples[f"{name} malformed"]) == (2, 1)


async def test_an_engine_that_is_slow_to_answer_leaves_the_last_figures_with_their_age(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "STATS_LIMIT_S", 0.05)
    scene = Scene()
    fresh = await scene.samples()
    scene.open.clear()
    stale = await scene.samples()
    assert fresh["troupe_engine_sequences"] == stale["troupe_engine_sequences"]
    assert stale["troupe_engine_stats_age_seconds"] >= 0.05


async def test_an_engine_that_never_answered_fails_no_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "STATS_LIMIT_S", 0.01)
    scene = Scene()
    scene.open.clear()
    samples = await scene.samples()
    assert samples["troupe_engine_up"] == 1
    assert "troupe_engine_sequences" not in samples
